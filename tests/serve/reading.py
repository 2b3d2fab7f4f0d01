"""What a client makes of a stream, over SSE or a WebSocket."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

Events = list[dict[str, Any]]


def sse(text: str) -> Events:
    """Events of an SSE body: `event`, `data` (decoded), `id` if there is one, in the contract's order."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        assert [line.partition(":")[0] for line in lines] in (["event", "data", "id"], ["event", "data"])
        fields = dict(line.split(": ", 1) for line in lines)
        found.append({**fields, "data": json.loads(fields["data"])})
    return found


def kinds(events: Iterable[dict[str, Any]]) -> list[str]:
    """Kinds in order, neighbouring deltas as one: a reader may get them joined."""
    return [kind for kind, _ in itertools.groupby(event["event"] for event in events)]


def said(events: Iterable[dict[str, Any]]) -> str:
    """The text of all deltas, as a client that knows nothing of cursors puts it together."""
    parts: list[str] = []
    for event in events:
        if event["event"] == "llm_output_delta":
            inner = event["data"]["data"]
            parts += [segment.get("delta", "") for segment in inner.get("segments", [inner])]
    return "".join(parts)


def stored_ids(events: Iterable[dict[str, Any]]) -> list[int]:
    """Ids of events that stand in the session's stream."""
    return [int(event["id"]) for event in events if event.get("id") is not None]
