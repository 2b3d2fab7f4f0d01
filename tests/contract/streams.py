"""Batches of events for the tests of stream events."""

from __future__ import annotations

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import (
    Cursor,
    EventBatch,
    StreamHead,
)


def batch(head: StreamHead, first: int, count: int, *, closing: bool = False, **more: object) -> EventBatch:
    ids = list(range(first, first + count))
    payloads = [f"{head.session_id}:{event_id}".encode() for event_id in ids]
    last_id = ids[-1] if ids else first - 1
    made = EventBatch(head.session_id, "user", head.term, ids, payloads, last_id, closing=closing)
    return EventBatch(**{**{name: getattr(made, name) for name in made.__slots__}, **more})


async def write(storage: Storage, session_id: str, count: int, *, closing: bool = True) -> StreamHead:
    head = await storage.events.open(session_id, "user")
    done = await storage.events.append([batch(head, head.next_id, count, closing=closing)])
    assert (done.stored, done.fenced) == (count, frozenset())
    return head


async def ids_of(storage: Storage, session_id: str, after: int = 0) -> list[int]:
    page = await storage.events.read(Cursor(session_id, after), limit=10_000)
    assert [event.payload for event in page.events] == [
        f"{session_id}:{event.event_id}".encode() for event in page.events if event.payload
    ]
    return [event.event_id for event in page.events]
