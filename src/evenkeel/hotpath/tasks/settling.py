"""Outcomes on their way to storage: whatever waits while one batch is being stored travels in the next."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from evenkeel.hotpath.ports.agent_tasks import AgentTasks, Completion
from evenkeel.hotpath.tasks.jobs import HeldJobs, Job
from evenkeel.hotpath.tasks.metering import TaskMeter
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError

LOG = logging.getLogger(__name__)
BATCH = 200
"""Completions per statement at most: larger ones gain nothing and hold row locks longer."""
PAUSE_MAX_S = 2.0
TOGETHER = 3
"""Failures of a batch before its outcomes are tried one by one."""
Pair = tuple[Job, Completion]


class Settler:
    """Bounded by its users: they stop claiming while `waiting` is high. `on_settled` hears of every stored batch."""

    def __init__(
        self,
        tasks: AgentTasks,
        held: HeldJobs,
        clock: Clock,
        meter: TaskMeter,
        on_settled: Callable[[Sequence[Pair]], None],
    ) -> None:
        self._tasks = tasks
        self._held = held
        self._clock = clock
        self._meter = meter
        self._on_settled = on_settled
        self._waiting: deque[Pair] = deque()
        self._under_way: Sequence[Pair] = ()
        self._stored_some = asyncio.Event()
        self._alone = 0  # how many of those that wait are to be stored one by one
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.fenced = 0

    @property
    def waiting(self) -> int:
        """Outcomes not stored yet."""
        return len(self._waiting) + len(self._under_way)

    def add(self, job: Job, completion: Completion) -> None:
        """Store this outcome with the next batch."""
        self._waiting.append((job, completion))
        self._idle.clear()
        self._more.set()

    async def settled(self, thread_id: str, within_s: float) -> bool:
        """Wait until the outcome of a task of this thread is stored; False = none waits for it, or not in time."""
        if not self.awaits(thread_id):
            return False
        try:
            async with asyncio.timeout(within_s):
                while self.awaits(thread_id):
                    self._stored_some.clear()
                    await self._stored_some.wait()
        except TimeoutError:
            return False
        return True

    def awaits(self, thread_id: str) -> bool:
        """Whether the outcome of a task of this thread is not stored yet; "" is no thread."""
        on_their_way = (*self._waiting, *self._under_way)
        return bool(thread_id) and any(job.task.thread_id == thread_id for job, _ in on_their_way)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                batch = self._next_batch()
                self._under_way = batch
                await self._store(batch)
                self._under_way = ()
                self._stored_some.set()
            self._idle.set()

    async def drained(self, within_s: float) -> int:
        """Wait until all is stored, at most `within_s`; answers how many outcomes are not."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return self.waiting
        return 0

    def _next_batch(self) -> list[Pair]:
        size = 1 if self._alone else min(BATCH, len(self._waiting))
        self._alone = max(0, self._alone - 1)
        return [self._waiting.popleft() for _ in range(size)]

    async def _store(self, batch: Sequence[Pair]) -> None:
        """Completions are repeatable, so an unknown outcome is sent again. After some failures each of a batch goes
        alone, and to the end of the line when it fails again: one that cannot be stored holds up no other.
        """
        failures, patience = 0, TOGETHER if len(batch) > 1 else 1
        while not await self._stored(batch):
            failures += 1
            await self._clock.sleep(min(PAUSE_MAX_S, 0.05 * 2**failures))
            if failures >= patience:
                self._waiting.extend(batch)
                self._alone = len(self._waiting) if len(batch) > 1 else self._alone
                return

    async def _stored(self, batch: Sequence[Pair]) -> bool:
        for job, _ in batch:
            job.settling = True
        try:
            settled = await self._tasks.complete([completion for _, completion in batch])
        except EvenkeelError as error:
            LOG.warning("%d outcomes could not be stored yet: %s", len(batch), error)
            for job, _ in batch:
                job.settling = False  # heartbeats go on keeping the lease
            return False
        self._held.remove(job for job, _ in batch)
        self.fenced += len(settled.fenced)
        self._meter.fenced(len(settled.fenced))
        self._on_settled(batch)
        return True
