"""The optimised path of the write queue: bounded, by priority, with a named answer to full."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from evenkeel.hotpath.ports.errors import NotDrainedError, QueueFullError
from evenkeel.hotpath.ports.write_queue import Overflow, Priority, Put, QueueLevel, QueueRules
from evenkeel.hotpath.writes.barriers import Barriers
from evenkeel.hotpath.writes.queue_metering import QueueMeter
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import UnavailableError, UsageError

R = TypeVar("R")
DRAIN_S = 10.0
RETRY_S = 0.05
RETRY_MAX_S = 1.0
LOWEST_FIRST = tuple(sorted(Priority, reverse=True))


@dataclass(frozen=True, slots=True)
class Waiting(Generic[R]):
    """A record in its queue; `number` in order of arrival, `since_s` monotonic."""

    record: R
    priority: Priority
    number: int
    since_s: float


class OverflowQueue(Generic[R]):
    """`WriteQueue`: one queue per priority, one writer."""

    def __init__(self, rules: QueueRules[R], clock: Clock, meter: QueueMeter) -> None:
        self._rules, self._clock, self._meter = rules, clock, meter
        self._queues: dict[Priority, deque[Waiting[R]]] = {priority: deque() for priority in Priority}
        self._under_way: list[Waiting[R]] = []
        self._some, self._due = asyncio.Event(), asyncio.Event()
        self._room: deque[tuple[Priority, asyncio.Future[None]]] = deque()
        self._barriers = Barriers()
        self._number = self._dropped = 0
        self._alert = self._closed = False
        self._writer = background(self._work(), f"evenkeel-queue-{rules.name}")

    async def __aenter__(self) -> OverflowQueue[R]:
        await self._writer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        try:
            async with asyncio.timeout(DRAIN_S):
                await self.flush()
        except TimeoutError:
            left = self._size
            self._meter.dropped(Priority.NORMAL, left)
            raise NotDrainedError(f"The write queue {self._rules.name}", left, DRAIN_S) from None
        finally:
            await self._writer.__aexit__(None, None, None)

    async def put(self, record: R, priority: Priority = Priority.NORMAL) -> Put:
        """See the port. Raises `UsageError` once the queue is closed."""
        if self._closed:
            raise UsageError(f"The write queue {self._rules.name} is closed.", hint="Stop its users first.")
        if self._fits(priority) and not self._someone_waits(priority):
            return self._add(record, priority, Put.QUEUED)
        if self._rules.overflow is Overflow.DROP_OLDEST and self._displace(priority):
            return self._add(record, priority, Put.DISPLACED)
        if priority is not Priority.CRITICAL and self._rules.overflow is not Overflow.BLOCK_WITH_TIMEOUT:
            return self._drop(priority)
        return await self._put_later(record, priority)

    async def flush(self) -> None:
        """See the port."""
        waiting = [each.number for queue in self._queues.values() for each in queue]
        waiting += [each.number for each in self._under_way]
        if waiting:
            self._due.set()
            await self._barriers.wait(waiting)

    def level(self) -> QueueLevel:
        """See the port. Records under way count as waiting."""
        waiting = {priority: len(queue) for priority, queue in self._queues.items()}
        for each in self._under_way:
            waiting[each.priority] += 1
        fronts = [queue[0].since_s for queue in self._queues.values() if queue]
        fronts += [each.since_s for each in self._under_way]
        oldest_s = self._clock.monotonic_s() - min(fronts) if fronts else 0.0
        return QueueLevel(waiting, self._dropped, oldest_s, self._alert)

    @property
    def _size(self) -> int:
        return sum(map(len, self._queues.values())) + len(self._under_way)

    def _fits(self, priority: Priority) -> bool:
        """Others leave the reserved places to critical records."""
        kept_free = 0 if priority is Priority.CRITICAL else self._rules.reserved
        return self._size < self._rules.capacity - kept_free

    def _someone_waits(self, priority: Priority) -> bool:
        return any(other <= priority and not future.done() for other, future in self._room)

    def _add(self, record: R, priority: Priority, put: Put) -> Put:
        self._number += 1
        self._queues[priority].append(Waiting(record, priority, self._number, self._clock.monotonic_s()))
        self._meter.put(priority, put)
        self._watch_level()
        self._some.set()
        if self._size >= self._rules.batch_rows:
            self._due.set()
        return put

    def _drop(self, priority: Priority) -> Put:
        self._dropped += 1
        self._meter.put(priority, Put.DROPPED)
        self._meter.dropped(priority, 1)
        return Put.DROPPED

    def _displace(self, priority: Priority) -> bool:
        """Drop the oldest record of the lowest priority that is droppable and not above this one's."""
        for lower in LOWEST_FIRST:
            if lower is not Priority.CRITICAL and lower >= priority and self._queues[lower]:
                gone = self._queues[lower].popleft()
                self._dropped += 1
                self._meter.dropped(lower, 1)
                self._barriers.done([gone.number])
                return True
        return False

    async def _put_later(self, record: R, priority: Priority) -> Put:
        """Wait for room, the more urgent first, each priority in order of arrival."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (priority, future)
        self._room.append(entry)
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                await future
        except TimeoutError:
            if priority is not Priority.CRITICAL:
                return self._drop(priority)
            self._meter.refused()
            name = f"The write queue {self._rules.name}"
            raise QueueFullError(name, self._rules.capacity, retry_after_s=self._rules.timeout_s) from None
        finally:
            self._room.remove(entry)
            self._call_in(but=0)
        return self._add(record, priority, Put.QUEUED)

    def _call_in(self, but: int) -> None:
        """Let in as many as there is room for; `but` were called already."""
        called = but + sum(future.done() for _, future in self._room)
        for priority in Priority:
            for other, future in self._room:
                kept_free = 0 if priority is Priority.CRITICAL else self._rules.reserved
                if other is priority and not future.done() and self._size + called < self._rules.capacity - kept_free:
                    future.set_result(None)
                    called += 1

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            await self._fill()
            self._due.clear()
            self._under_way = self._next_batch()
            if not self._size - len(self._under_way):
                self._some.clear()
            if self._under_way:
                await self._write(self._under_way)

    async def _fill(self) -> None:
        if self._size >= self._rules.batch_rows or self._barriers.awaited:
            return
        try:
            async with asyncio.timeout(self._rules.batch_s):
                await self._due.wait()
        except TimeoutError:
            return

    def _next_batch(self) -> list[Waiting[R]]:
        batch: list[Waiting[R]] = []
        for priority in Priority:
            queue = self._queues[priority]
            while queue and len(batch) < self._rules.batch_rows:
                batch.append(queue.popleft())
        return batch

    async def _write(self, batch: list[Waiting[R]]) -> None:
        pause_s = RETRY_S
        while True:
            try:
                with self._meter.write(len(batch)):
                    await self._rules.sink([each.record for each in batch])
            except UnavailableError:
                await self._clock.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries
                pause_s = min(RETRY_MAX_S, pause_s * 2)
            except Exception as error:
                self._give_up(batch, error)
                break
            else:
                break
        self._under_way = []
        self._barriers.done([each.number for each in batch])
        self._watch_level()
        self._call_in(but=0)

    def _give_up(self, batch: list[Waiting[R]], error: Exception) -> None:
        """The sink will never take it: counted by priority, and told to the loop's exception handler."""
        for each in batch:
            self._meter.dropped(each.priority, 1, reason="refused by the sink")
        self._dropped += len(batch)
        message = f"The write queue {self._rules.name} gave up {len(batch)} records."
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    def _watch_level(self) -> None:
        level = self._size / self._rules.capacity
        self._alert = level >= self._rules.low_water if self._alert else level > self._rules.high_water
        self._meter.level(level, alert=self._alert)
