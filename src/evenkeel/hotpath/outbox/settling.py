"""Outcomes on their way to storage: whatever waits while one batch is being stored travels in the next."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence

from evenkeel.hotpath.outbox.metering import OutboxMeter
from evenkeel.hotpath.ports.outbox_rows import Delivery, OutboxRows
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError

LOG = logging.getLogger(__name__)
BATCH = 200
PAUSE_MAX_S = 2.0


class Settler:
    """Bounded by its user, which claims nothing while `waiting` is high."""

    def __init__(self, rows: OutboxRows, clock: Clock, meter: OutboxMeter, on_stored: Callable[[], None]) -> None:
        self._rows = rows
        self._clock = clock
        self._meter = meter
        self._on_stored = on_stored
        self._queue: deque[Delivery] = deque()
        self._storing = 0
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Outcomes not stored yet."""
        return len(self._queue) + self._storing

    def add(self, delivery: Delivery) -> None:
        """Store this outcome with the next batch."""
        self._queue.append(delivery)
        self._idle.clear()
        self._more.set()

    async def run(self) -> None:
        """Until cancelled. Settling is repeatable, so an unknown outcome is sent again."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._storing = len(batch)
                await self._store(batch)
                self._storing = 0
                self._on_stored()
            self._idle.set()

    async def drained(self, within_s: float) -> int:
        """Wait until all is stored; answers how many outcomes are not."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return self.waiting
        return 0

    async def _store(self, batch: Sequence[Delivery]) -> None:
        failures = 0
        while True:
            try:
                fenced = await self._rows.settle(batch)
            except EvenkeelError as error:
                LOG.warning("%d deliveries could not be stored yet: %s", len(batch), error)
                failures += 1
                await self._clock.sleep(min(PAUSE_MAX_S, 0.05 * 2**failures))
                continue
            self._meter.fenced(len(fenced))
            for status, count in Counter(each.status.value for each in batch if each.outbox_id not in fenced).items():
                self._meter.stored(status, count)
            return
