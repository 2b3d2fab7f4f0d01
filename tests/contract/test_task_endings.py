"""How a task ends early: cancelled, lost to another worker, or given back when the queue closes."""

from __future__ import annotations

import asyncio

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.task_queue import TaskContext
from tests.queues import Log, running, sample, settled, task, until
from tests.storages import Place


async def test_a_waiting_task_is_cancelled_before_it_starts(place: Place) -> None:
    gate = asyncio.Event()

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await gate.wait()

    log = Log(during=wait)
    async with running(place, log.handler) as one:
        await one.queue.submit(task("first", thread_id="th"), task("second", thread_id="th"))
        await until(lambda: log.ran == ["first"])
        assert await one.queue.cancel("second") is TaskStatus.CANCELLED
        assert await one.queue.cancel("unknown") is None
        gate.set()
        statuses = await settled(one.storage, "first", "second")
    assert statuses == {"first": TaskStatus.SUCCESS, "second": TaskStatus.CANCELLED}
    assert log.ran == ["first"]


async def test_a_running_task_is_cancelled(place: Place) -> None:
    seen: list[bool] = []

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.extend([context.cancelled, context.lost])

    log = Log(during=wait)
    async with running(place, log.handler) as one:
        await one.queue.submit(task("t"))
        await until(lambda: log.now == 1)
        assert await one.queue.cancel("t") is TaskStatus.RUNNING
        assert await settled(one.storage, "t") == {"t": TaskStatus.CANCELLED}
        await until(lambda: one.queue.state().running == 0)
    assert seen == [True, False]


async def test_a_handler_that_cleans_up_is_not_disturbed_again(place: Place) -> None:
    cleaned: list[str] = []

    async def tidy(claimed: ClaimedTask, context: TaskContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.5)  # several heartbeats that say "cancelled"
            cleaned.append(claimed.task_id)

    log = Log(during=tidy)
    async with running(place, log.handler, lease_s=0.3, stall_s=5.0) as one:
        await one.queue.submit(task("t"))
        await until(lambda: log.now == 1)
        await one.queue.cancel("t")
        assert await settled(one.storage, "t") == {"t": TaskStatus.CANCELLED}
    assert cleaned == ["t"]


async def test_a_task_that_another_took_is_cancelled_here_and_its_outcome_dropped(place: Place) -> None:
    """Losing the lease cancels the work; the fence keeps whatever it still says."""
    contexts: list[TaskContext] = []

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        contexts.append(context)
        await asyncio.Event().wait()

    log = Log(during=wait)
    async with running(place, log.handler, lease_s=0.6, upkeep_s=60.0, poll_s=60.0) as one:
        await one.queue.submit(task("t"))
        await until(lambda: log.now == 1)
        taken = await one.storage.unclaimed_tasks.start("t", "someone else", 60.0)
        assert taken is not None
        assert taken.attempt == 2
        await until(lambda: log.now == 0)
        assert (contexts[0].lost, contexts[0].fence.attempt) == (True, 1)
        assert sample(one.meters, "evenkeel_tasks_lost_leases_total", path=place.profile) == 1
        (record,) = await one.storage.tasks.of_session("s")
        assert (record.status, record.attempt) == (TaskStatus.RUNNING, 2)


async def test_a_late_outcome_is_rejected_and_counted(place: Place) -> None:
    async def lose(claimed: ClaimedTask, context: TaskContext) -> None:
        if claimed.attempt == 1:
            await one.storage.unclaimed_tasks.start("t", "someone else", 60.0)

    log = Log(during=lose)
    async with running(place, log.handler, upkeep_s=60.0) as one:
        await one.queue.submit(task("t"))
        await until(lambda: one.queue.state().fenced == 1)
        assert sample(one.meters, "evenkeel_tasks_fenced_total", path=place.profile) == 1
        (record,) = await one.storage.tasks.of_session("s")
        assert (record.status, record.attempt) == (TaskStatus.RUNNING, 2)


async def test_closing_lets_running_work_finish(place: Place) -> None:
    go = asyncio.Event()

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await go.wait()

    log = Log(during=wait)
    async with place.open() as looking:
        async with running(place, log.handler) as one:
            await one.queue.submit(task("t"))
            await until(lambda: log.now == 1)
            asyncio.get_running_loop().call_later(0.05, go.set)
        assert await settled(looking, "t") == {"t": TaskStatus.SUCCESS}


async def test_closing_gives_back_what_does_not_finish(place: Place) -> None:
    """Given back unharmed: the try does not count, and others can take it at once."""

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.Event().wait()

    log = Log(during=wait)
    async with place.open() as looking:
        async with running(place, log.handler, drain_s=0.05) as one:
            await one.queue.submit(task("t", max_attempts=1))
            await until(lambda: log.now == 1)
        assert log.now == 0
        (again,) = await looking.tasks.claim("w", 10, 10.0)
        assert (again.task_id, again.attempt) == ("t", 2)


async def test_a_handler_that_cannot_be_stopped_does_not_stop_the_closing(place: Place) -> None:
    release = asyncio.Event()

    async def stubborn(claimed: ClaimedTask, context: TaskContext) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    log = Log(during=stubborn)
    async with running(place, log.handler, drain_s=0.0) as one:
        await one.queue.submit(task("t"))
        await until(lambda: log.now == 1)
    assert log.now == 1
    release.set()
    await until(lambda: log.now == 0)
