"""Parts of the task queue on their own: outcomes, back-off, settling, and what happens when a background loop dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, TaskStatus
from evenkeel.hotpath.ports.task_queue import Outcome
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.hotpath.tasks.beats import apply, beat, due
from evenkeel.hotpath.tasks.jobs import HeldJobs, Job, Stop
from evenkeel.hotpath.tasks.metering import build_meter
from evenkeel.hotpath.tasks.outcomes import Backoff, completion_of, retried
from evenkeel.hotpath.tasks.settling import Settler
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import ManualClock, SystemClock
from evenkeel.kernel.metrics import Meters
from tests.queues import QUICK, Log, running, settled, task, until
from tests.storages import Place

BACKOFF = Backoff(1.5, 30.0, lambda: 0.5)
CLAIMED = ClaimedTask("t", 2, 3, "", "s", "u", "", b"", 0.0, 0.0)


def test_waits_double_to_the_cap_and_are_spread() -> None:
    assert [BACKOFF.wait_s(n) for n in (1, 2, 3, 4, 5, 6, 10_000)] == [1.5, 3, 6, 12, 24, 30, 30]
    low, high = (replace(BACKOFF, spread=lambda x=x: x).wait_s(1) for x in (0.0, 1.0))  # type: ignore[misc]
    assert low == pytest.approx(1.2)
    assert high == pytest.approx(1.8)


def test_a_retry_takes_its_own_wait_or_the_back_off() -> None:
    assert completion_of(CLAIMED, Outcome(TaskStatus.RETRY), BACKOFF).retry_in_s == 3
    assert completion_of(CLAIMED, Outcome(TaskStatus.RETRY, retry_in_s=0.0), BACKOFF).retry_in_s == 0
    assert completion_of(CLAIMED, Outcome(TaskStatus.RETRY, retry_in_s=-9.0), BACKOFF).retry_in_s == 0
    assert retried(CLAIMED, "x", BACKOFF) == Completion("t", 2, TaskStatus.RETRY, "x", 3.0)


def test_only_leases_that_are_not_young_are_extended() -> None:
    clock, held = ManualClock(), HeldJobs()
    old, young = Job(CLAIMED, clock.monotonic_s() + 7.0), Job(replace(CLAIMED, task_id="u"), clock.monotonic_s() + 10.0)
    held.add([old, young])
    assert due(held, 10.0, clock) == [old]
    old.settling = True  # its outcome is on the way: it would read as lost the moment it is stored
    assert due(held, 10.0, clock) == []


async def test_a_lease_that_no_heartbeat_reached_in_time_has_expired(database: Place) -> None:
    """The database is gone: the work is cancelled when its lease is over, and not before."""
    clock, held = ManualClock(), HeldJobs()
    early, late = Job(CLAIMED, clock.monotonic_s() + 5.0), Job(replace(CLAIMED, task_id="u"), clock.monotonic_s() - 1.0)
    held.add([early, late])
    async with database.open() as storage:
        tasks = storage.tasks
    found = await beat(tasks, [early, late], 10.0, clock)  # a closed storage answers nothing
    assert (found.ended, found.failed) == (((late, Stop.EXPIRED),), True)
    assert apply(found, held) == (late,)
    assert (late.lost, early.lost) == (True, False)
    held.remove([late])
    assert apply(found, held) == ()


async def test_an_outcome_that_storage_refuses_holds_up_no_other(database: Place) -> None:
    def no_news(_pairs: Sequence[object]) -> None:
        return None

    async with database.open() as storage:
        await storage.tasks.enqueue([task("first", thread_id="th"), task("behind", thread_id="th"), task("good")])
        started = [await storage.unclaimed_tasks.start(name, "w", 60.0) for name in ("behind", "good")]
        jobs = {each.task_id: Job(each, 0.0) for each in started if each is not None}
        held = HeldJobs()
        held.add(jobs.values())
        settler = Settler(storage.tasks, held, SystemClock(), build_meter(Meters(), "optimised"), no_news)
        # `behind` was started out of turn, as the rollback path can: as a retry it would be a second turn of its thread
        settler.add(jobs["behind"], Completion("behind", 1, TaskStatus.RETRY))
        settler.add(jobs["good"], Completion("good", 1, TaskStatus.SUCCESS))
        async with background(settler.run(), "settler"):
            assert await settled(storage, "good") == {"good": TaskStatus.SUCCESS}
            await until(lambda: settler.waiting <= 1)
            assert await storage.tasks.cancel_task("first") is TaskStatus.CANCELLED
            assert await settler.drained(15.0) == 0


async def test_whoever_serves_hears_of_a_background_loop_that_died(database: Place) -> None:
    """A queue must not stand still unseen."""

    class BrokenClock(SystemClock):
        broken = False

        def monotonic_s(self) -> float:
            if self.broken:
                raise ZeroDivisionError("a fault of ours")
            return super().monotonic_s()

    log = Log()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    async with database.open() as storage:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 closing raises it, too
            async with build_tasks(QUICK, read_switches(), Meters(), storage, clock=BrokenClock()) as queue:
                serving = asyncio.create_task(queue.serve(log.handler))
                await asyncio.sleep(0.05)
                BrokenClock.broken = True
                try:
                    with pytest.raises(ZeroDivisionError):
                        await serving
                finally:
                    BrokenClock.broken = False


async def test_held_jobs_keep_a_later_attempt_of_the_same_task() -> None:
    held, first, second = HeldJobs(), Job(CLAIMED, 0.0), Job(replace(CLAIMED, attempt=3), 0.0)
    held.add([first])
    held.add([second])
    held.remove([first])
    assert (held.holds(first), held.holds(second), len(held)) == (False, True, 1)


async def test_a_queue_that_is_only_submitted_to_runs_nothing(database: Place) -> None:
    log = Log()
    async with running(database) as client:
        await client.queue.submit(task("t"))
        assert client.queue.state().running == 0
        async with running(database, log.handler) as server:
            assert await settled(server.storage, "t") == {"t": TaskStatus.SUCCESS}
        await until(lambda: log.ran == ["t"])
