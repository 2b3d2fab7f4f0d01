"""Task queues for tests: short pauses, one storage per instance, and a handler that writes down what it ran."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, NewTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import Handler, Outcome, QueueRules, TaskContext, TaskQueue
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.kernel.metrics import Meters
from tests.storages import Place

QUICK = QueueRules(
    max_workers=4, lease_s=5.0, poll_s=0.05, drain_s=5.0, backoff_base_s=0.01, upkeep_s=0.05, rollback_poll_s=0.02
)
FINISHED = {TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.DEAD}


def task(name: str, **more: Any) -> NewTask:
    return NewTask(name, b"payload", **{"session_id": "s", **more})


@dataclass
class Log:
    """What ran, in order, with how many at once."""

    ran: list[str] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    now: int = 0
    most: int = 0
    outcome: Outcome = field(default_factory=lambda: Outcome(TaskStatus.SUCCESS))
    during: Callable[[ClaimedTask, TaskContext], Awaitable[None]] | None = None

    async def handler(self, claimed: ClaimedTask, context: TaskContext) -> Outcome:
        self.ran.append(claimed.task_id)
        self.attempts.append(claimed.attempt)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await (self.during(claimed, context) if self.during else asyncio.sleep(0))
        finally:
            self.now -= 1
        return self.outcome


@dataclass(frozen=True)
class Instance:
    """One instance of a service: its storage, its queue, its metrics."""

    storage: Storage
    queue: TaskQueue
    meters: Meters


@asynccontextmanager
async def running(
    place: Place, handler: Handler | None = None, *, coalesce_s: float = 0.01, **rules: Any
) -> AsyncIterator[Instance]:
    """A queue on a storage of its own, serving `handler` if there is one."""
    meters = Meters()
    async with place.open(meters, coalesce_s=coalesce_s) as storage:
        serving: asyncio.Task[None] | None = None
        async with build_tasks(replace(QUICK, **rules), read_switches(place.profile), meters, storage) as queue:
            if handler is not None:
                serving = asyncio.create_task(queue.serve(handler))
            yield Instance(storage, queue, meters)
        if serving is not None:
            await serving  # ends with the queue, and raises what went wrong in it


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; the test's time-out says no."""
    while not condition():  # noqa: ASYNC110 the condition is whatever a test can see
        await asyncio.sleep(0.005)


async def settled(storage: Storage, *task_ids: str, session_id: str = "s") -> dict[str, TaskStatus]:
    """Wait until all of these are finished in storage."""
    while True:
        records = {each.task_id: each.status for each in await storage.tasks.of_session(session_id, 1000)}
        if all(records.get(task_id) in FINISHED for task_id in task_ids):
            return {task_id: records[task_id] for task_id in task_ids}
        await asyncio.sleep(0.01)


def sample(meters: Meters, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    return sum(
        each.value
        for metric in meters.registry.collect()
        for each in metric.samples
        if each.name == name and labels.items() <= each.labels.items()
    )
