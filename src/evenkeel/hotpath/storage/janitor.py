"""The janitor: removes by age, in small steps, away from every request. Its statements are the only ones that delete
rows of living sessions.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.storage.settings import JanitorRules
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import EvenkeelError


@dataclass(frozen=True, slots=True)
class Janitor:
    """One round after another, each step bounded; a failing step is left for the next round (and counted by
    storage).
    """

    storage: Storage
    rules: JanitorRules
    clock: Clock
    spread: Callable[[], float]

    async def run(self) -> None:
        """Until cancelled. Rounds are spread by up to half, so that instances do not come at the same moment."""
        while True:
            await self.clock.sleep(self.rules.every_s * (0.75 + self.spread() / 2))
            await self.round()

    async def round(self) -> int:
        """Each kind of row once; answers how many rows went."""
        removed = 0
        for step in self._steps():
            with suppress(EvenkeelError):
                removed += await step()
        return removed

    def _steps(self) -> list[Callable[[], Awaitable[int]]]:
        rules, storage = self.rules, self.storage
        steps: list[Callable[[], Awaitable[int]]] = [storage.leases.sweep, storage.tokens.sweep]
        if rules.events_s:
            steps.append(lambda: storage.events.prune(rules.events_s, max_rows=rules.rows))
        if rules.finished_tasks_s:
            steps.append(lambda: storage.tasks.prune(rules.finished_tasks_s, rules.rows))
        if rules.sent_messages_s:
            steps.append(lambda: storage.outbox.prune(rules.sent_messages_s, rules.rows))
        return steps


@asynccontextmanager
async def keeping_clean(storage: Storage, rules: JanitorRules | None, clock: Clock | None) -> AsyncIterator[None]:
    """Run a janitor in the background for as long as the storage is open."""
    if rules is None:
        yield
        return
    # random, not secrets: it only spreads rounds over time
    janitor = Janitor(storage, rules, clock or SystemClock(), random.random)
    async with background(janitor.run(), "evenkeel-janitor"):
        yield
