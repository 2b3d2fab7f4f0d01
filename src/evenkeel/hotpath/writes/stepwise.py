"""The rollback path of the event writer: one write per event, awaited before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType

from evenkeel.hotpath.ports.bus import Bus, Event
from evenkeel.hotpath.ports.errors import FencedError, QueueFullError
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter, WriterLevel
from evenkeel.hotpath.ports.stream_events import StreamEvents, TaskFence
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.hotpath.writes.metering import WriterMeter
from evenkeel.hotpath.writes.outside import Outside
from evenkeel.hotpath.writes.pen import Pen
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.kernel.errors import UnavailableError, UsageError


class StepwiseRun:
    """`RunWriter`: nothing waits, so there is nothing to flush. Deltas are rows of their own."""

    def __init__(self, pen: Pen, writer: StepwiseWriter) -> None:
        self.pen = pen
        self.posted = True  # of a run that crashed, posts may have been left
        self._writer = writer
        self._line = asyncio.Lock()

    @property
    def term(self) -> int:
        """See the port."""
        return self.pen.head.term

    async def emit(self, draft: Draft) -> Event:
        """See the port."""
        body = self.pen.body(draft)
        async with self._line:
            await self._take_posts()
            if draft.stored or self.pen.next_id > self.pen.reserved_to:
                return await self._store(draft, body)
            event, _ = self.pen.write(draft, body)
            self._writer.bus.publish(event)
            return event

    async def flush(self) -> None:
        """See the port."""
        async with self._line:
            if self.pen.broken is not None:
                raise self.pen.broken

    async def close(self) -> None:
        """See the port."""
        async with self._line:
            self.pen.shut = True
            self._writer.closed(self)

    async def _store(self, draft: Draft, body: bytes) -> Event:
        event, stored = self.pen.write(draft, body)
        try:
            await self._append([event.event_id] if draft.stored else [], [stored] if draft.stored else [], [])
        except UnavailableError:
            self.pen.ended = False  # its terminal event may be tried again
            raise
        self._writer.bus.publish(event)
        self._writer.bus.flushed(event.session_id, event.event_id)
        if draft.terminal:
            self._writer.closed(self)
        return event

    async def _take_posts(self) -> None:
        """What others want said comes before what this run says next."""
        if not self.posted or self.pen.ended or self.pen.broken is not None:
            return
        self.posted = False
        for post in await self._writer.events.posts([self.pen.head.session_id]):
            event = self.pen.take(post)
            if event is not None:
                await self._append([event.event_id], [post.payload], [post.post_id])
                self._writer.bus.publish(event)
                self._writer.bus.flushed(event.session_id, event.event_id)

    async def _append(self, ids: list[int], payloads: list[bytes], posts: list[int]) -> None:
        batch = self.pen.batch(ids, payloads, posts)
        with self._writer.meter.append(len(ids)):
            done = await self._writer.events.append([batch])
        if done.fenced:
            self.pen.supersede()
            self._writer.meter.gave_up(len(ids))
            self._writer.closed(self)
            self.pen.check()
        self.pen.stored(batch)
        self._writer.meter.stored(batch)


class StepwiseWriter:
    """`EventWriter`."""

    def __init__(
        self, rules: WriterRules, events: StreamEvents, bus: Bus, wakeups: Wakeups, meter: WriterMeter
    ) -> None:
        self.events, self.bus, self.meter = events, bus, meter
        self._rules, self._wakeups = rules, wakeups
        self._outside = Outside(rules, events, wakeups)
        self._runs: dict[str, StepwiseRun] = {}  # bounded by rules.sessions
        self._stop_listening: Callable[[], None] | None = None
        self._closing = False

    async def __aenter__(self) -> StepwiseWriter:
        self._stop_listening = self._wakeups.listen(Channel.POSTS, self._heard)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._stop_listening is not None:
            self._stop_listening()

    async def begin(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> RunWriter:
        """See the port."""
        if self._closing:
            raise UsageError("The event writer is closed.", hint="Stop its users first.")
        if len(self._runs) >= self._rules.sessions:
            raise QueueFullError("The runs of the event writer", self._rules.sessions)
        old = self._runs.get(session_id)
        if old is not None:
            await old.close()
        head = await self.events.open(session_id, user_id, fence=fence)
        run = StepwiseRun(Pen(self._rules, head, user_id, fence), self)
        other = self._runs.get(session_id)
        if other is not None and other.term > run.term:
            run.pen.supersede()
        else:
            self._runs[session_id] = run
        return run

    async def say(self, session_id: str, user_id: str, draft: Draft) -> Event | None:
        """See the port."""
        run = self._runs.get(session_id)
        if run is not None and run.pen.user_id == user_id:
            try:
                return await run.emit(draft)
            except FencedError:
                pass  # it has just ended
        return await self._outside.say(session_id, user_id, draft)

    async def settle(self, session_id: str, draft: Draft, *, term: int | None = None) -> Event | None:
        """See the port."""
        run = self._runs.get(session_id)
        if run is not None and term in {None, run.term}:
            try:
                return await run.emit(draft)
            except FencedError:
                pass  # it has ended by itself, or elsewhere: storage knows which
        return await self._outside.settle(session_id, draft, term)

    def level(self) -> WriterLevel:
        """See the port: nothing ever waits."""
        return WriterLevel(0, 0, 0, 0.0)

    def closed(self, run: StepwiseRun) -> None:
        """A run is over."""
        if self._runs.get(run.pen.head.session_id) is run:
            del self._runs[run.pen.head.session_id]

    def _heard(self, keys: Sequence[str]) -> None:
        for key in keys or tuple(self._runs):
            if key in self._runs:
                self._runs[key].posted = True
