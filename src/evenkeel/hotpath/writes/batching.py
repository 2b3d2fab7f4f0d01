"""The optimised path of the event writer: batches by size and by time, in buckets by session."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType

from evenkeel.hotpath.ports.bus import Bus, Event
from evenkeel.hotpath.ports.errors import FencedError, NotDrainedError, QueueFullError
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter, WriterLevel
from evenkeel.hotpath.ports.stream_events import StreamEvents, TaskFence
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.hotpath.writes.bucket import Bucket, levels
from evenkeel.hotpath.writes.metering import WriterMeter
from evenkeel.hotpath.writes.outside import Outside
from evenkeel.hotpath.writes.pen import Pen
from evenkeel.hotpath.writes.posts import PostReader
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.hotpath.writes.run import BufferedRun
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import EvenkeelError, UsageError

CLOSED_BOUND = 1_024
"""Sessions remembered after their run, so that a post that came too late for it is still shown."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A run's bucket, and the writer that opened it."""

    bucket: Bucket
    writer: BatchingWriter

    @property
    def error(self) -> EvenkeelError | None:
        """See `run.Carrier`."""
        return self.bucket.error

    @property
    def full(self) -> bool:
        """See `run.Carrier`."""
        return self.bucket.full

    def carry(self, run: BufferedRun, rows: int, size_bytes: int, *, now: bool) -> None:
        """See `run.Carrier`."""
        self.bucket.carry(run, rows, size_bytes, now=now)

    async def progress(self) -> None:
        """See `run.Carrier`."""
        await self.bucket.progress()

    def closed(self, run: BufferedRun) -> None:
        """See `run.Carrier`."""
        self.writer.closed(run)


class BatchingWriter:
    """`EventWriter`."""

    def __init__(
        self, rules: WriterRules, events: StreamEvents, bus: Bus, wakeups: Wakeups, meter: WriterMeter
    ) -> None:
        self._rules, self._events, self._bus = rules, events, bus
        self._wakeups, self._meter = wakeups, meter
        self._outside = Outside(rules, events, wakeups)
        self._buckets = [Bucket(rules, events, meter) for _ in range(rules.buckets)]
        self._runs: dict[str, BufferedRun] = {}  # bounded by rules.sessions
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._posts = PostReader(rules, events, self._sessions, self._take_post)
        self._stop_listening: Callable[[], None] | None = None
        self._open = AsyncExitStack()
        self._closing = False

    async def __aenter__(self) -> BatchingWriter:
        self._stop_listening = self._wakeups.listen(Channel.POSTS, self._heard)
        for number, bucket in enumerate(self._buckets):
            await self._open.enter_async_context(background(bucket.work(), f"evenkeel-writes-{number}"))
        await self._open.enter_async_context(background(self._posts.work(), "evenkeel-writes-posts"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        try:
            await self._drain()
        finally:
            if self._stop_listening is not None:
                self._stop_listening()
            await self._open.aclose()
        left = levels(self._buckets)[0]
        if left:
            self._meter.gave_up(left)
            raise NotDrainedError("The event writer", left, self._rules.drain_s)

    async def begin(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> RunWriter:
        """See the port. Raises `QueueFullError` when as many runs are open as may be."""
        if self._closing:
            raise UsageError("The event writer is closed.", hint="Stop its users first.")
        if len(self._runs) >= self._rules.sessions:
            raise QueueFullError("The runs of the event writer", self._rules.sessions)
        await self._retire(session_id)
        head = await self._events.open(session_id, user_id, fence=fence)
        pen = Pen(self._rules, head, user_id, fence)
        bucket = self._buckets[zlib.crc32(session_id.encode()) % len(self._buckets)]
        run = BufferedRun(pen, self._bus, Desk(bucket, self))
        self._enter(run)
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
        """See the port. A run that is at work here ends in order: what it said comes first."""
        run = self._runs.get(session_id)
        if run is not None and term in {None, run.term}:
            try:
                return await run.emit(draft)
            except FencedError:  # it has ended by itself, or elsewhere: once it has stored what it may, storage knows
                with suppress(FencedError):
                    await run.flush()
        return await self._outside.settle(session_id, draft, term)

    def level(self) -> WriterLevel:
        """See the port."""
        rows, size_bytes = levels(self._buckets)
        waiting = [run.first_s for run in self._runs.values() if run.rows]
        oldest_s = self._rules.clock.monotonic_s() - min(waiting) if waiting else 0.0
        return WriterLevel(rows, size_bytes, len(waiting), oldest_s)

    def closed(self, run: BufferedRun) -> None:
        """A run is over."""
        if self._runs.get(run.session_id) is run:
            del self._runs[run.session_id]
            self._ended[run.session_id] = None
            if len(self._ended) > CLOSED_BOUND:
                self._ended.popitem(last=False)

    async def _retire(self, session_id: str) -> None:
        """A new run takes over: what the old one said is stored first, and it says nothing more."""
        old = self._runs.get(session_id)
        if old is not None:
            with suppress(FencedError):
                await old.close()

    def _enter(self, run: BufferedRun) -> None:
        other = self._runs.get(run.session_id)
        if other is not None and other.term > run.term:
            run.pen.supersede()  # two began at once, and the other came later
            return
        if other is not None:
            other.pen.supersede()
        self._runs[run.session_id] = run
        self._ended.pop(run.session_id, None)
        self._posts.look([run.session_id])  # of a run that crashed, posts may have been left

    async def _drain(self) -> None:
        """Everything emitted is stored, or the deadline passes."""
        runs = tuple(self._runs.values())
        try:
            async with asyncio.timeout(self._rules.drain_s):
                await asyncio.gather(*(run.flush() for run in runs), return_exceptions=True)
        except TimeoutError:
            return

    def _sessions(self) -> list[str]:
        return list(self._runs)

    def _take_post(self, post_session: str) -> BufferedRun | None:
        return self._runs.get(post_session)

    def _heard(self, keys: Sequence[str]) -> None:
        self._posts.look([key for key in keys if key in self._runs] if keys else self._sessions())
        for key in keys:
            if key in self._ended and key not in self._runs:
                self._wakeups.wake(Channel.EVENTS, key)  # storage put it behind the terminal event
