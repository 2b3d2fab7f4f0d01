"""A run's terminal event as the answer that its caller waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from evenkeel.hotpath.ports.bus import Event
from evenkeel.serve.ports.failures import RunFailedError
from evenkeel.serve.ports.runs import Answer, Usage


def inner_of(event: Event) -> dict[str, Any]:
    """The innermost data of an event."""
    inner: dict[str, Any] = msgspec.json.decode(event.payload)["data"]["data"]
    return inner


def answer_of(session_id: str, event: Event, shown: Mapping[str, Any]) -> Answer:
    """The outcome of a run. Raises `RunFailedError` with the code of an `error` event."""
    data = inner_of(event)
    if event.kind == "error":
        detail = data.get("detail", {})
        raise RunFailedError(data["code"], data["message"], detail=detail if isinstance(detail, dict) else {})
    usage = data.get("round_usage") or data.get("usage") or {}
    extra = {name: data.get(name, shown.get(name)) for name in ("uid", "a2ui") if data.get(name, shown.get(name))}
    total = Usage(*(int(usage.get(name, 0)) for name in ("input_tokens", "output_tokens", "total_tokens")))
    return Answer(session_id, data["answer"], total, data["stop_reason"], extra)
