"""What the optimised path of the task queue promises beyond the other: bounds, wake-ups, leases that outlive a stall."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.task_queue import TaskContext
from evenkeel.hotpath.ports.wakeups import Channel, Mode
from tests.queues import Log, running, sample, settled, task, until
from tests.storages import Place, fresh_dsn

NEVER_S = 3600.0


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> Place:
    """PostgreSQL on the optimised path: only there do wake-ups travel between instances."""
    return Place(fresh_dsn("postgres", request), "optimised")


async def test_no_task_runs_twice_with_many_instances(database: Place) -> None:
    log = Log()
    names = [f"t{n}" for n in range(200)]
    async with (
        running(database, log.handler, prefetch=5) as one,
        running(database, log.handler) as two,
        running(database, log.handler, claim_batch=3),
    ):
        for start in range(0, 200, 20):
            await (one, two)[start // 20 % 2].queue.submit(*(task(name) for name in names[start : start + 20]))
        assert set((await settled(one.storage, *names)).values()) == {TaskStatus.SUCCESS}
    assert sorted(log.ran) == sorted(names)
    assert set(log.attempts) == {1}


async def test_never_more_than_max_workers_at_once(database: Place) -> None:
    async def pause(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.sleep(0.002)

    log = Log(during=pause)
    async with running(database, log.handler, max_workers=3, prefetch=20) as one:
        names = [f"t{n}" for n in range(60)]
        await one.queue.submit(*(task(name) for name in names))
        await settled(one.storage, *names)
    assert log.most == 3


async def test_only_as_much_is_claimed_as_there_is_room_for(database: Place) -> None:
    gate = asyncio.Event()

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await gate.wait()

    log = Log(during=wait)
    async with running(database, log.handler, max_workers=2, prefetch=3) as one:
        await one.queue.submit(*(task(f"t{n}") for n in range(20)))
        await until(lambda: log.now == 2)
        await asyncio.sleep(0.1)
        depth = await one.storage.tasks.depth()
        assert (depth.running, depth.waiting) == (5, 15)
        gate.set()


async def test_what_was_fetched_and_not_begun_is_given_back(database: Place) -> None:
    gate = asyncio.Event()

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await gate.wait()

    log = Log(during=wait)
    async with database.open() as looking:
        async with running(database, log.handler, max_workers=1, prefetch=5) as one:
            await one.queue.submit(*(task(f"t{n}", max_attempts=1) for n in range(6)))
            await until(lambda: log.now == 1)
            asyncio.get_running_loop().call_later(0.05, gate.set)
        got = await looking.tasks.claim("w", 10, 10.0)
        assert {each.task_id for each in got} == {f"t{n}" for n in range(6)} - set(log.ran)
        assert len(got) == 5


async def test_submitting_wakes_a_worker_here_at_once(database: Place) -> None:
    """Lesson s: no poll and no upkeep could have found it within this test's time."""
    log = Log()
    async with running(database, log.handler, poll_s=NEVER_S, upkeep_s=NEVER_S, lease_s=30.0) as one:
        await until(lambda: sample(one.meters, "evenkeel_tasks_claim_items_count") >= 1)
        for n in range(3):
            await one.queue.submit(task(f"t{n}"))
            await until(lambda: len(log.ran) == n + 1)  # noqa: B023 used at once
        assert sample(one.meters, "evenkeel_tasks_claim_items_count", cause="wake") >= 3


async def test_submitting_wakes_a_worker_in_another_instance(postgres: Place) -> None:
    """Lesson s, across instances: the submitter serves nothing; the server neither polls nor keeps up in time."""
    log = Log()
    async with running(postgres, log.handler, poll_s=NEVER_S, upkeep_s=NEVER_S) as server, running(postgres) as client:
        await until(lambda: server.storage.wakeups.mode is Mode.LISTEN)
        await until(lambda: sample(server.meters, "evenkeel_tasks_claim_items_count") >= 1)
        for n in range(3):
            await client.queue.submit(task(f"t{n}"))
            await until(lambda: len(log.ran) == n + 1)  # noqa: B023 used at once
        assert server.queue.state().mode is Mode.LISTEN
        assert sample(server.meters, "evenkeel_tasks_claim_items_count", cause="poll") == 0


async def test_the_slow_poll_finds_what_nobody_rang_for(database: Place) -> None:
    log = Log()
    async with running(database, log.handler, poll_s=0.05, upkeep_s=NEVER_S) as one:
        await until(lambda: sample(one.meters, "evenkeel_tasks_claim_items_count") >= 1)
        await one.storage.tasks.enqueue([task("silent")])
        await until(lambda: log.ran == ["silent"])
        await until(lambda: sample(one.meters, "evenkeel_tasks_claim_items_count", cause="poll") >= 1)


async def test_a_running_task_is_cancelled_from_another_instance(postgres: Place) -> None:
    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.Event().wait()

    log = Log(during=wait)
    quiet = {"poll_s": NEVER_S, "upkeep_s": NEVER_S, "lease_s": NEVER_S, "stall_s": NEVER_S}
    async with running(postgres, log.handler, **quiet) as server, running(postgres) as client:
        await until(lambda: server.storage.wakeups.mode is Mode.LISTEN)
        await client.queue.submit(task("t"))
        await until(lambda: log.now == 1)
        assert await client.queue.cancel("t") is TaskStatus.RUNNING
        assert await settled(client.storage, "t") == {"t": TaskStatus.CANCELLED}


async def test_the_cancellation_channel_is_heard_too(database: Place) -> None:
    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await asyncio.Event().wait()

    log = Log(during=wait)
    async with running(database, log.handler, lease_s=NEVER_S, stall_s=NEVER_S) as one:
        await one.queue.submit(task("t"), task("other", session_id="o"))
        await until(lambda: log.now == 2)
        await one.storage.tasks.cancel_session("s")
        one.storage.wakeups.wake(Channel.CANCEL, "s")
        assert await settled(one.storage, "t") == {"t": TaskStatus.CANCELLED}
        assert log.now == 1
        await one.queue.cancel("other")


async def test_short_tasks_cost_no_heartbeat(database: Place) -> None:
    log = Log()
    async with running(database, log.handler, lease_s=3.0, upkeep_s=0.02) as one:
        names = [f"t{n}" for n in range(40)]
        await one.queue.submit(*(task(name) for name in names))
        await settled(one.storage, *names)
        assert sample(one.meters, "evenkeel_storage_call_seconds_count", call="heartbeat_tasks") == 0


async def test_ended_leases_come_back_without_anyone_asking(database: Place) -> None:
    """Lesson r: a task left running by a crash runs again."""
    log = Log()
    async with running(database) as one:
        await one.queue.submit(task("t"))
        await one.storage.unclaimed_tasks.start("t", "a worker that dies", 0.3)
        async with running(database, log.handler, poll_s=NEVER_S) as other:
            assert await settled(other.storage, "t") == {"t": TaskStatus.SUCCESS}
            assert sample(other.meters, "evenkeel_tasks_returned_total", reason="expired") == 1
    assert log.attempts == [2]


@pytest.mark.blocking_allowed("a handler stalls the event loop on purpose")
async def test_a_stalled_event_loop_keeps_its_leases(database: Place) -> None:
    """The heartbeat thread goes on while the loop stands still for three leases, so nobody else gets the task."""

    async def stall(claimed: ClaimedTask, context: TaskContext) -> None:
        time.sleep(1.8)  # noqa: ASYNC251 the point of this test
        assert not context.lost

    log = Log(during=stall)
    async with running(database, log.handler, lease_s=0.6, stall_s=60.0) as one:
        await one.queue.submit(task("t"))
        assert await settled(one.storage, "t") == {"t": TaskStatus.SUCCESS}
        assert one.queue.state().fenced == 0
        assert sample(one.meters, "evenkeel_storage_call_seconds_count", call="heartbeat_tasks") >= 3
    assert log.attempts == [1]


@pytest.mark.blocking_allowed("a handler hangs the event loop on purpose")
async def test_a_loop_that_hangs_loses_its_leases_in_the_end(database: Place) -> None:
    """A hung process must not hold its tasks for ever; what it says afterwards is rejected and counted."""
    seen: list[bool] = []

    async def hang(claimed: ClaimedTask, context: TaskContext) -> None:
        if claimed.attempt == 1:
            other = threading.Thread(target=elsewhere)
            other.start()
            other.join()  # the loop hangs until another instance has the task

    def elsewhere() -> None:
        time.sleep(2)
        seen.append(asyncio.run(take()))

    async def take() -> bool:
        async with database.open() as other:
            return (await other.tasks.upkeep()).recovered == 1

    log = Log(during=hang)
    async with running(database, log.handler, lease_s=0.5, stall_s=0.5, upkeep_s=NEVER_S) as one:
        await one.queue.submit(task("t"))
        await until(lambda: log.ran == ["t", "t"])
        assert await settled(one.storage, "t") == {"t": TaskStatus.SUCCESS}
        lost = sample(one.meters, "evenkeel_tasks_lost_leases_total")
        assert one.queue.state().fenced + lost == 1
    assert (seen, log.attempts) == ([True], [1, 2])


async def test_one_thread_a_queue(database: Place) -> None:
    """Lesson m: the heartbeat thread is one, and it is gone when the queue is closed."""

    def mine() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "evenkeel-heartbeat"]

    log = Log()
    async with running(database, log.handler) as one:
        await one.queue.submit(*(task(f"t{n}") for n in range(20)))
        await settled(one.storage, *(f"t{n}" for n in range(20)))
        assert len(mine()) == 1
    assert mine() == []


async def test_a_stream_of_urgent_tasks_starves_nobody(database: Place) -> None:
    """Ageing: with a worker that never catches up, the task of low priority still gets its turn."""
    urgent = 0

    async def feed(claimed: ClaimedTask, context: TaskContext) -> None:
        nonlocal urgent
        for _ in range(2):
            urgent += 1
            await one.queue.submit(task(f"urgent {urgent}", priority=0, session_id="load"))
        await asyncio.sleep(0.001)

    log = Log(during=feed)
    async with database.open(task_ageing_s=0.1) as storage:
        await storage.tasks.enqueue([task("patient", priority=5), task("first", priority=0)])
    async with running(database, log.handler, max_workers=1, drain_s=0.2) as one:
        await until(lambda: "patient" in log.ran)
    assert len(log.ran) > 1
