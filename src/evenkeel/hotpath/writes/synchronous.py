"""The rollback path of the write queue: one line, and when it is full the caller writes its record itself."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Generic, TypeVar

from evenkeel.hotpath.ports.errors import NotDrainedError
from evenkeel.hotpath.ports.write_queue import Priority, Put, QueueLevel, QueueRules
from evenkeel.hotpath.writes.barriers import Barriers
from evenkeel.hotpath.writes.queue_metering import QueueMeter
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import UnavailableError, UsageError

R = TypeVar("R")
DRAIN_S = 10.0
RETRY_S = 0.2


class SynchronousQueue(Generic[R]):
    """`WriteQueue`: priorities are ignored, records are written one by one, a full line stops nobody from writing."""

    def __init__(self, rules: QueueRules[R], clock: Clock, meter: QueueMeter) -> None:
        self._rules, self._clock, self._meter = rules, clock, meter
        self._line: deque[tuple[int, R, Priority, float]] = deque()
        self._some = asyncio.Event()
        self._barriers = Barriers()
        self._number = self._dropped = 0
        self._alert = self._closed = False
        self._writer = background(self._work(), f"evenkeel-queue-{rules.name}")

    async def __aenter__(self) -> SynchronousQueue[R]:
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
            raise NotDrainedError(f"The write queue {self._rules.name}", len(self._line), DRAIN_S) from None
        finally:
            await self._writer.__aexit__(None, None, None)

    async def put(self, record: R, priority: Priority = Priority.NORMAL) -> Put:
        """See the port; nothing is ever dropped here, and the request waits for the database instead."""
        if self._closed:
            raise UsageError(f"The write queue {self._rules.name} is closed.", hint="Stop its users first.")
        if len(self._line) >= self._rules.capacity:
            self._meter.inline()
            await self._write(record, priority)
        else:
            self._number += 1
            self._line.append((self._number, record, priority, self._clock.monotonic_s()))
            self._some.set()
            self._watch_level()
        self._meter.put(priority, Put.QUEUED)
        return Put.QUEUED

    async def flush(self) -> None:
        """See the port."""
        numbers = [entry[0] for entry in self._line]
        if numbers:
            await self._barriers.wait(numbers)

    def level(self) -> QueueLevel:
        """See the port."""
        waiting = dict.fromkeys(Priority, 0)
        for entry in self._line:
            waiting[entry[2]] += 1
        oldest_s = self._clock.monotonic_s() - self._line[0][3] if self._line else 0.0
        return QueueLevel(waiting, self._dropped, oldest_s, self._alert)

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._line:
                number, record, priority, _ = self._line[0]
                await self._write(record, priority)
                self._line.popleft()
                self._barriers.done([number])
                self._watch_level()

    async def _write(self, record: R, priority: Priority) -> None:
        while True:
            try:
                with self._meter.write(1):
                    await self._rules.sink([record])
            except UnavailableError:
                await self._clock.sleep(RETRY_S)
            except Exception as error:
                self._dropped += 1
                self._meter.dropped(priority, 1, reason="refused by the sink")
                message = f"The write queue {self._rules.name} gave up a record."
                asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
                return
            else:
                return

    def _watch_level(self) -> None:
        level = len(self._line) / self._rules.capacity
        self._alert = level >= self._rules.low_water if self._alert else level > self._rules.high_water
        self._meter.level(level, alert=self._alert)
