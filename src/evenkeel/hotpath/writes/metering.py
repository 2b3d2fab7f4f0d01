"""What the room tells about itself: the same series for both paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.event_writer import Draft, EventWriter, RunWriter, WriterLevel
from evenkeel.hotpath.ports.stream_events import EventBatch, TaskFence
from evenkeel.kernel.metrics import ITEMS, Meters
from evenkeel.kernel.switch import Path


class WriterMeter:
    """The metrics of one path of the event writer. Children are looked up once."""

    def __init__(self, meters: Meters, path: Path) -> None:
        name = path.value
        self._meters, self._name = meters, name
        self._seconds = meters.histogram("writes", "append", "seconds", "Duration of an append.").labels(name)
        self._items = meters.histogram(
            "writes", "batch", "items", "Rows in one append, of all its sessions.", bounds=ITEMS
        ).labels(name)
        self._rows = meters.counter("writes", "rows", "Rows stored.").labels(name)
        self._retries = meters.counter("writes", "retries", "Appends sent again.").labels(name)
        self._lost = meters.counter("writes", "given_up", "Rows of superseded or failed runs, not stored.").labels(name)
        self._runs = meters.counter("writes", "runs", "Runs begun.").labels(name)
        self._settled = meters.counter("writes", "settled", "Runs ended from outside.").labels(name)

    @contextmanager
    def append(self, rows: int) -> Iterator[None]:
        """Around one append."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.observe(time.perf_counter() - started)
            self._items.observe(rows)

    def stored(self, batch: EventBatch) -> None:
        """One session's part of an append is durable."""
        self._rows.inc(len(batch.event_ids))

    def retried(self) -> None:
        """Storage was away."""
        self._retries.inc()

    def gave_up(self, rows: int) -> None:
        """Rows that will not be stored."""
        self._lost.inc(rows)

    def began(self) -> None:
        """A run."""
        self._runs.inc()

    def settled(self) -> None:
        """A run was ended from outside."""
        self._settled.inc()

    def watch(self, level: Callable[[], WriterLevel]) -> None:
        """Water levels, sampled when scraped."""
        events = self._meters.gauge("writes", "waiting", "items", "Rows not stored yet.").labels(self._name)
        size = self._meters.gauge("writes", "waiting", "bytes", "Bytes not stored yet.").labels(self._name)
        age = self._meters.gauge("writes", "oldest", "seconds", "Age of the oldest row not stored.").labels(self._name)
        events.set_function(lambda: level().events)
        size.set_function(lambda: level().size_bytes)
        age.set_function(lambda: level().oldest_s)


@dataclass(frozen=True, slots=True)
class MeteredWriter:
    """Around both paths; a session takes the one that its switch names."""

    of: Callable[[str], tuple[EventWriter, WriterMeter]]
    parts: tuple[EventWriter, ...]

    async def begin(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> RunWriter:
        """See the port."""
        writer, meter = self.of(session_id)
        run = await writer.begin(session_id, user_id, fence=fence)
        meter.began()
        return run

    async def say(self, session_id: str, user_id: str, draft: Draft) -> Event | None:
        """See the port."""
        return await self.of(session_id)[0].say(session_id, user_id, draft)

    async def settle(self, session_id: str, draft: Draft, *, term: int | None = None) -> Event | None:
        """See the port."""
        writer, meter = self.of(session_id)
        event = await writer.settle(session_id, draft, term=term)
        if event is not None:
            meter.settled()
        return event

    def level(self) -> WriterLevel:
        """See the port."""
        levels = [part.level() for part in self.parts]
        return WriterLevel(
            sum(level.events for level in levels),
            sum(level.size_bytes for level in levels),
            sum(level.sessions for level in levels),
            max(level.oldest_s for level in levels),
        )
