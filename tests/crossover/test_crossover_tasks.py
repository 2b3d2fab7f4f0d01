"""Task rows written on one path are run, cancelled and looked at on the other."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.task_queue import Outcome, TaskContext
from tests.queues import Log, running, settled, task, until
from tests.storages import Place

OTHER = {"optimised": "rollback", "rollback": "optimised"}


@pytest.mark.parametrize("first", ["optimised", "rollback"])
async def test_what_one_path_queues_the_other_runs(database: Place, first: str) -> None:
    log = Log()
    here, there = database.on(first), database.on(OTHER[first])
    async with running(here) as one, running(there, log.handler) as two:
        names = [f"t{n}" for n in range(10)]
        await one.queue.submit(*(task(name, thread_id="th" if n % 2 else "") for n, name in enumerate(names)))
        assert set((await settled(two.storage, *names)).values()) == {TaskStatus.SUCCESS}
    assert sorted(log.ran) == names


@pytest.mark.parametrize("first", ["optimised", "rollback"])
async def test_what_one_path_could_not_finish_the_other_does(database: Place, first: str) -> None:
    """Retries, what was given back at closing, and what a dead worker held."""
    stuck = asyncio.Event()

    async def hold(claimed: ClaimedTask, context: TaskContext) -> None:
        if claimed.task_id == "held":
            await stuck.wait()

    broken = Log(outcome=Outcome(TaskStatus.RETRY, "not here", retry_in_s=0.0), during=hold)
    async with running(database.on(first), broken.handler, drain_s=0.05, max_workers=2) as one:
        await one.queue.submit(task("retried", max_attempts=1_000), task("held"))
        await until(lambda: set(broken.ran) == {"retried", "held"})
    log = Log()
    async with running(database.on(OTHER[first]), log.handler) as two:
        await two.queue.submit(task("abandoned"))
        statuses = await settled(two.storage, "retried", "held", "abandoned")
    assert set(statuses.values()) == {TaskStatus.SUCCESS}
    assert log.attempts[log.ran.index("held")] == 2


@pytest.mark.parametrize("first", ["optimised", "rollback"])
async def test_one_path_cancels_what_runs_on_the_other(database: Place, first: str) -> None:
    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.Event().wait()

    log = Log(during=wait)
    async with (
        running(database.on(first), log.handler, lease_s=0.6, stall_s=5.0) as one,
        running(database.on(OTHER[first])) as two,
    ):
        await one.queue.submit(task("t"))
        await until(lambda: log.now == 1)
        assert await two.queue.cancel("t") is TaskStatus.RUNNING
        assert await settled(two.storage, "t") == {"t": TaskStatus.CANCELLED}
