"""A client that puts a session's text together by the rules of the API, over SSE or a WebSocket, across connections.

The rules: an event at or before one's cursor is dropped, segments of a joined row one by one; `progress` of the stage
`resume` cuts the text of its round to `kept_chars` (what was shown beyond was never stored); a new model round begins a
new text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

TERMINAL = ("final", "error")
Data = Mapping[str, Any]


@dataclass
class Watcher:
    """What one client has made of a session so far."""

    cursor: int = 0
    kinds: list[str] = field(default_factory=list)
    ends: list[Data] = field(default_factory=list)
    resumed: list[Data] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    stored: dict[int, str] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)

    def take(self, kind: str, event_id: int, data: Data) -> None:
        """One event; `data` is its inner data."""
        assert event_id > self.cursor, f"{kind} {event_id} at or before the cursor {self.cursor}"
        for segment in data.get("segments", [{**data, "event_id": event_id}]):
            if kind == "llm_output_delta" and segment["event_id"] > self.cursor:
                number = segment["model_round"]
                self.texts[number] = self.texts.get(number, "") + segment.get("delta", "")
        self.cursor = event_id
        self.kinds.append(kind)
        if kind == "progress" and data.get("stage") == "resume":
            self.resumed.append(data)
            number = data["model_round"]
            self.texts[number] = self.texts.get(number, "")[: data["kept_chars"]]
        if kind == "llm_output":
            self.outputs[data["model_round"]] = data["content"]
        if kind in TERMINAL:
            self.ends.append({"event": kind, **data})

    @property
    def text(self) -> str:
        """The text of the newest round."""
        return self.texts.get(max(self.texts, default=0), "")

    async def follow(self, http: httpx2.AsyncClient, headers: dict[str, str], session_id: str) -> AsyncIterator[str]:
        """Resume from the cursor over SSE; the kind of each event, after it was taken. Ends with the stream, or where
        the connection breaks.
        """
        path = f"/wunder/chat/sessions/{session_id}/resume"
        cursor = {"after_event_id": str(self.cursor)}
        try:
            async with http.stream("GET", path, params=cursor, headers=headers) as response:
                assert response.status_code == 200, await response.aread()
                async for kind, event_id, data in _events(response):
                    self.take(kind, event_id, data["data"])
                    yield kind
        except httpx2.TransportError:
            return


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[str, int, Any]]:
    kind, data = "", ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            data = value
        elif name == "id":
            yield kind, int(value), json.loads(data)
