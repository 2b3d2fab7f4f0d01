"""A bucket: some of the sessions, one append under way at a time, so that each session's order is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from evenkeel.hotpath.ports.stream_events import Appended, EventBatch, StreamEvents
from evenkeel.hotpath.writes.metering import WriterMeter
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.hotpath.writes.run import BufferedRun
from evenkeel.kernel.errors import EvenkeelError, UnavailableError

Taken = list[tuple[BufferedRun, EventBatch]]


class Bucket:
    """Gathers runs that have something to store, and stores it when it is enough, old enough, or waited for."""

    def __init__(self, rules: WriterRules, events: StreamEvents, meter: WriterMeter) -> None:
        self._rules, self._events, self._meter = rules, events, meter
        self._dirty: dict[BufferedRun, None] = {}
        self._some, self._due = asyncio.Event(), asyncio.Event()
        self._progress: asyncio.Future[None] | None = None
        self.error: EvenkeelError | None = None
        self.rows = self.size_bytes = 0  # waiting, those under way included

    @property
    def full(self) -> bool:
        """See `run.Carrier`: each bucket has its part of the bytes that may wait."""
        return self.size_bytes * self._rules.buckets >= self._rules.total_bytes

    def carry(self, run: BufferedRun, rows: int, size_bytes: int, *, now: bool) -> None:
        """See `run.Carrier`."""
        self._dirty[run] = None
        self.rows += rows
        self.size_bytes += size_bytes
        if now or self.rows >= self._rules.batch_events or self.size_bytes >= self._rules.batch_bytes:
            self._due.set()
        self._some.set()

    async def progress(self) -> None:
        """See `run.Carrier`."""
        if self._progress is None:
            self._progress = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._progress)

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await self._some.wait()
            await self._fill()
            self._some.clear()
            self._due.clear()
            taken = self._take()
            if taken:
                await self._store(taken)

    async def _fill(self) -> None:
        """Let a batch grow, not for long."""
        try:
            async with asyncio.timeout(self._rules.batch_s):
                await self._due.wait()
        except TimeoutError:
            return

    def _take(self) -> Taken:
        dirty, self._dirty = self._dirty, {}
        taken = []
        for run in dirty:
            batch = run.take()
            if run.pen.broken is not None and run.rows:
                self._give_up(run, run.pen.broken)  # another run has the session
            elif batch is not None:
                taken.append((run, batch))
        return taken

    async def _store(self, taken: Taken) -> None:
        """Send until storage has answered. The same batch may be sent again: appends are repeatable."""
        pause_s = self._rules.retry_s
        while taken:
            try:
                with self._meter.append(sum(len(batch.event_ids) for _, batch in taken)):
                    done = await self._events.append([batch for _, batch in taken])
            except UnavailableError as error:
                self.error = error
                self._meter.retried()
                await self._rules.clock.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries
                pause_s = min(self._rules.retry_max_s, pause_s * 2)
            except EvenkeelError as error:
                taken = await self._alone(taken, error)
            else:
                self._settled(taken, done)
                return

    async def _alone(self, taken: Taken, error: EvenkeelError) -> Taken:
        """One of them cannot be stored, ever: find it, give its run up, spare the others."""
        if len(taken) == 1:
            self._give_up(taken[0][0], error)
            return []
        for one in taken:
            await self._store([one])
        return []

    def _settled(self, taken: Taken, done: Appended) -> None:
        self.error = None
        for run, batch in taken:
            if batch.session_id in done.fenced:
                run.pen.supersede()
                self._give_up(run, run.pen.broken)
            else:
                self._forget(len(batch.event_ids), sum(map(len, batch.payloads)))
                run.stored(batch)
                self._meter.stored(batch)
        self._told()

    def _give_up(self, run: BufferedRun, error: EvenkeelError | None) -> None:
        size_bytes = run.size_bytes
        if error is not None:
            lost = run.broke(error)
            self._forget(lost, size_bytes)
            self._meter.gave_up(lost)
        self._told()

    def _forget(self, rows: int, size_bytes: int) -> None:
        self.rows -= rows
        self.size_bytes -= size_bytes

    def _told(self) -> None:
        if self._progress is not None:
            self._progress.set_result(None)
            self._progress = None


def levels(buckets: Sequence[Bucket]) -> tuple[int, int]:
    """Rows and bytes that wait in all of them."""
    return sum(bucket.rows for bucket in buckets), sum(bucket.size_bytes for bucket in buckets)
