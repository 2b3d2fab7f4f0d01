"""Errors."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from evenkeel.serve.api.shapes.words import UnixSeconds
from evenkeel.serve.ports.documents import says


class Problem(Struct):
    """What went wrong."""

    code: Annotated[str, says("For programs; also in the header x-error-code")]
    message: Annotated[str, says("For people, in their language")]
    status: Annotated[int, says("The HTTP status")]
    hint: Annotated[str, says("What to do next")]
    trace_id: Annotated[str, says("Names the request in the log; also in the header x-trace-id")]
    timestamp: UnixSeconds


class ProblemDetail(Struct):
    """The message once more, and what the code adds."""

    message: Annotated[str, says("For people")]
    code: Annotated[str | UnsetType, says("Of errors of a run")] = UNSET
    detail: Annotated[
        dict[str, Any] | UnsetType, says("More, by code; of a quota: daily_quota, used, remaining, date")
    ] = UNSET


class Error(Struct):
    """Every error but those of `/v1`."""

    ok: Annotated[bool, says("Always false")]
    error: Annotated[Problem, says("What went wrong")]
    detail: Annotated[ProblemDetail, says("More")]
