"""Settings of section `operations`. Unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class OperationsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`log_format`: one JSON object a line, or lines for a terminal. `log_queue` lines wait for the writer; more are
    dropped and counted, never waited for. `trace_endpoint`: base address of an OTLP collector over HTTP ("" = no
    traces; needs the extra `otel`); `trace_ratio` of the traces that begin here are kept. `pool_threads` bounds the
    loop's default thread pool.
    """

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_queue: Annotated[int, msgspec.Meta(ge=100)] = 10_000
    trace_endpoint: str = ""
    trace_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    pool_threads: Annotated[int, msgspec.Meta(ge=1)] = 8
