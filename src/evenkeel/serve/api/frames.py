"""Events on the wire. An event was encoded once, by its writer; here its bytes are only cut and joined.

`Event.payload` is `{"id":"12","event":"final","data":{…}}`. SSE needs its parts, WebSocket the whole within an envelope.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from evenkeel.hotpath.ports.bus import Event, Live, Replayed
from evenkeel.hotpath.ports.stream_events import HistoryLost

DELTA = "llm_output_delta"
KEEP_ALIVE = b": keep-alive\n\n"
_HEAD = len('{"id":"","event":"","data":')
_SEGMENTS = b'"segments":['


def data_of(event: Event) -> bytes:
    """The value of `data` in an event's payload, as it stands there."""
    return event.payload[_HEAD + len(str(event.event_id)) + len(event.kind) : -1]


def inner_of(event: Event) -> bytes:
    """The innermost data, as its run gave it: without session and timestamp."""
    data = data_of(event)
    return data[data.index(b',"data":', data.index(b',"timestamp":')) + len(b',"data":') : -1]


def ending(event: Event) -> str:
    """How a terminal event ends its run, for figures: `final`, or the code of its error."""
    if event.kind != "error":
        return event.kind
    inner = msgspec.json.decode(inner_of(event))
    return str(inner.get("code", "INTERNAL_ERROR")) if isinstance(inner, dict) else "INTERNAL_ERROR"


def sse(event: Event) -> bytes:
    """One SSE event: name, data, id, in the contract's order."""
    return b"event: %b\ndata: %b\nid: %d\n\n" % (event.kind.encode(), data_of(event), event.event_id)


def sse_plain(kind: str, data: object) -> bytes:
    """An SSE event that stands in no session's stream: no id, so no client takes it for a cursor."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(data))


def lost_data(lost: HistoryLost) -> dict[str, object]:
    """What a reader is told when part of the history is gone."""
    return {"first_id": lost.first_id, "last_id": lost.last_id, "reason": lost.reason.value}


def message(
    kind: str, payload: object = None, *, request_id: str = "", session_id: str = "", raw: bytes | None = None
) -> str:
    """One WebSocket message; `raw` is a payload that is encoded already."""
    parts = [b'{"type":"%b"' % kind.encode()]
    if request_id:
        parts.append(b',"request_id":%b' % msgspec.json.encode(request_id))
    if session_id:
        parts.append(b',"session_id":%b' % msgspec.json.encode(session_id))
    if raw is not None or payload is not None:
        parts.append(b',"payload":%b' % (msgspec.json.encode(payload) if raw is None else raw))
    return (b"".join(parts) + b"}").decode()


def message_head(request_id: str, session_id: str) -> str:
    """What precedes the payload in every `event` message of one stream."""
    return message("event", request_id=request_id, session_id=session_id)[:-1] + ',"payload":'


def trimmed(event: Event, after_id: int) -> Event:
    """A stored row of deltas that began at or before a reader's cursor, without what the reader has already.

    Only the first row after a cursor can be one, so this decodes once a replay, never once an event.
    """
    if event.kind != DELTA or _SEGMENTS not in event.payload:
        return event
    payload = msgspec.json.decode(event.payload)
    inner = payload["data"]["data"]
    segments = inner.get("segments")
    if not isinstance(segments, list) or not segments or segments[0].get("event_id", 0) > after_id:
        return event
    inner["segments"] = [each for each in segments if each.get("event_id", 0) > after_id]
    inner["event_id_start"] = inner["segments"][0]["event_id"] if inner["segments"] else event.event_id
    return replace(event, payload=msgspec.json.encode(payload))


def fresh(delivery: Live | Replayed, after_id: int) -> tuple[Event, ...]:
    """A delivery's events for a reader that has everything up to `after_id`."""
    events = delivery.events
    if isinstance(delivery, Replayed) and events[0].kind == DELTA:
        return (trimmed(events[0], after_id), *events[1:])
    return events


def is_turn_start(stored: bytes) -> bool:
    """Whether a stored event is the first of a turn, `progress` with stage `start`; looked for without decoding."""
    return stored.startswith(b'{"event":"progress"') and b'"stage":"start"' in stored


def is_turn_end(stored: bytes) -> bool:
    """Whether a stored event is the last of a turn."""
    return stored.startswith((b'{"event":"final"', b'{"event":"error"'))
