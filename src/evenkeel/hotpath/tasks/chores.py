"""Chores beside the work: upkeep of the table, and figures for the dashboard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from evenkeel.hotpath.ports.agent_tasks import AgentTasks
from evenkeel.hotpath.ports.task_queue import QueueState
from evenkeel.hotpath.tasks.metering import TaskMeter
from evenkeel.hotpath.tasks.outcomes import Spread
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError

LOG = logging.getLogger(__name__)
SOONEST_S = 0.01


class Chores:
    """Upkeep about every `every_s`, sooner when a retry is due; `on_ready` hears when something can be claimed."""

    def __init__(
        self, tasks: AgentTasks, every_s: float, clock: Clock, spread: Spread, on_ready: Callable[[], None]
    ) -> None:
        self._tasks = tasks
        self._every_s = every_s
        self._clock = clock
        self._spread = spread
        self._on_ready = on_ready
        self._next_s = 0.0
        self._sooner = asyncio.Event()

    def expect(self, in_s: float) -> None:
        """Something falls due in `in_s`: be there."""
        at = self._clock.monotonic_s() + max(SOONEST_S, in_s)
        if at < self._next_s:
            self._next_s = at
            self._sooner.set()

    async def run(self, meter: TaskMeter, state: Callable[[], QueueState]) -> None:
        """Until cancelled. A round that storage does not answer is left for the next."""
        while True:
            try:
                due_in_s = await self._round(meter, state)
            except EvenkeelError as error:
                LOG.warning("Upkeep of the task queue failed; the next round tries again: %s", error)
                due_in_s = None
            # spread, so that instances do not come at the same moment
            pause_s = self._every_s * (0.75 + 0.5 * self._spread())
            if due_in_s is not None:
                pause_s = min(pause_s, max(SOONEST_S, due_in_s))
            self._next_s = self._clock.monotonic_s() + pause_s
            await self._rest()

    async def _round(self, meter: TaskMeter, state: Callable[[], QueueState]) -> float | None:
        done = await self._tasks.upkeep()
        meter.kept_up(done)
        if done.recovered or done.woken or done.promoted:
            self._on_ready()
        meter.depth(await self._tasks.depth(), state())
        return done.due_in_s

    async def _rest(self) -> None:
        """Until the next round is due; `expect` may move that nearer."""
        while (left_s := self._next_s - self._clock.monotonic_s()) > 0:
            self._sooner.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._sooner.wait()
            except TimeoutError:
                return
