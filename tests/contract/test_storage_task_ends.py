"""Agent tasks that are cancelled, late, delayed or done; and the queue as a whole."""

from __future__ import annotations

import pytest

from evenkeel.hotpath.ports.agent_tasks import Held, NewTask, TaskStatus
from evenkeel.hotpath.ports.errors import OversizedError, UnencodableError
from evenkeel.hotpath.ports.storage import Bounds
from tests.contract.queued import claim, done, names, statuses, task
from tests.storages import Place


async def test_a_delayed_task_waits(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("later", delay_s=30), task("now")])
        assert names(await claim(storage, lease_s=100)) == ["now"]
        upkeep = await storage.tasks.upkeep()
        assert upkeep.due_in_s == pytest.approx(30)
        timed.manual.advance(31)
        upkeep = await storage.tasks.upkeep()
        assert (upkeep.woken, upkeep.due_in_s) == (1, None)
        assert names(await claim(storage)) == ["later"]


async def test_time_to_live_ends_in_a_dead_letter(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t", ttl_s=10, thread_id="th"), task("u", ttl_s=100, thread_id="th")])
        timed.manual.advance(11)
        assert await claim(storage) == []
        upkeep = await storage.tasks.upkeep()
        assert (upkeep.dead, upkeep.promoted) == (1, 1)
        assert [record.task_id for record in await storage.tasks.dead()] == ["t"]
        assert names(await claim(storage)) == ["u"]


async def test_cancelling_what_waits_and_what_runs(place: Place) -> None:
    """Lesson i: cancel settles task rows; lesson g: queued counts as active."""
    async with place.open() as storage:
        await storage.tasks.enqueue([task(f"t{n}", session_id="s", thread_id="th") for n in range(3)])
        await storage.tasks.enqueue([task("other", session_id="o")])
        assert await storage.tasks.active(["s", "o", "none"]) == {"s", "o"}
        got = {each.task_id: each for each in await claim(storage)}
        assert set(got) == {"t0", "other"}
        assert await storage.tasks.cancel_task("t1") is TaskStatus.CANCELLED
        assert await storage.tasks.cancel_task("unknown") is None
        before = await storage.tasks.cancel_session("s")
        assert {r.task_id: r.status for r in before.tasks} == {"t0": TaskStatus.RUNNING, "t2": TaskStatus.PENDING}
        beat = await storage.tasks.heartbeat([Held("t0", 1), Held("other", 1)], 10)
        assert (set(beat.lost), set(beat.cancelled)) == (set(), {"t0"})
        assert await storage.tasks.active(["s"]) == {"s"}
        assert await storage.tasks.active(["s", "o"], ["t0"]) == {"o"}
        await storage.tasks.complete([done(got["t0"], TaskStatus.RETRY)])
        assert set((await statuses(storage)).values()) == {TaskStatus.CANCELLED}
        assert await storage.tasks.active(["s", "o"]) == {"o"}
        assert await storage.tasks.cancel_task("t0") is TaskStatus.CANCELLED


async def test_the_task_of_a_cancelled_worker_that_died_comes_back_to_say_so(timed: Place) -> None:
    """Also after its last attempt, and once only."""
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t", session_id="s", max_attempts=1)])
        (first,) = await claim(storage, lease_s=1)
        assert not first.cancelled
        assert await storage.tasks.cancel_task("t") is TaskStatus.RUNNING
        timed.manual.advance(2)
        await storage.tasks.upkeep()
        (again,) = await claim(storage, lease_s=1)
        assert (again.cancelled, again.attempt) == (True, 2)
        timed.manual.advance(2)
        await storage.tasks.upkeep()
        assert await statuses(storage) == {"t": TaskStatus.CANCELLED}


async def test_a_cancelled_task_is_not_started_by_who_had_read_it_before(place: Place) -> None:
    """The rollback path reads first and takes then."""
    async with place.open() as storage:
        await storage.tasks.enqueue([task("t", session_id="s")])
        assert [record.task_id for record in await storage.unclaimed_tasks.pending()] == ["t"]
        await storage.tasks.cancel_session("s")
        assert await storage.unclaimed_tasks.start("t", "worker", 10) is None
        assert await statuses(storage) == {"t": TaskStatus.CANCELLED}


async def test_cancelling_the_first_of_a_thread_lets_the_next_run(place: Place) -> None:
    async with place.open() as storage:
        await storage.tasks.enqueue([task("a", thread_id="th"), task("b", thread_id="th")])
        assert await storage.tasks.cancel_task("a") is TaskStatus.CANCELLED
        assert names(await claim(storage)) == ["b"]


async def test_depth_looks_at_a_bounded_part(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task(f"t{n}") for n in range(30)])
        timed.manual.advance(7)
        await claim(storage, 5)
        depth = await storage.tasks.depth()
        assert (depth.waiting, depth.running) == (25, 5)
        assert depth.oldest_s == pytest.approx(7)
        assert (await storage.tasks.depth(bound=10)).waiting == 10


async def test_finished_tasks_go_by_age_and_no_others(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("done"), task("waiting")])
        got = {each.task_id: each for each in await claim(storage)}
        await storage.tasks.complete([done(got["done"]), done(got["waiting"], TaskStatus.PENDING)])
        timed.manual.advance(100)
        assert await storage.tasks.prune(200) == 0
        assert await storage.tasks.prune(50) == 1
        assert names(await claim(storage)) == ["waiting"]


async def test_the_rollback_way_sees_the_same_rows(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("a", session_id="s"), task("b", session_id="s", delay_s=50)])
        assert [record.task_id for record in await storage.unclaimed_tasks.pending()] == ["a"]
        started = await storage.unclaimed_tasks.start("a", "w", 10)
        assert started is not None
        assert await storage.unclaimed_tasks.start("unknown", "w", 10) is None
        assert await claim(storage) == []
        assert (await storage.tasks.complete([done(started)])).accepted == {"a"}
        assert await statuses(storage) == {"a": TaskStatus.SUCCESS, "b": TaskStatus.RETRY}


@pytest.mark.parametrize("bad", ["with \0", "with \ud800"])
async def test_text_that_no_column_can_keep_is_refused_before_anything_is_written(place: Place, bad: str) -> None:
    async with place.open(bounds=Bounds(task_bytes=10)) as storage:
        with pytest.raises(UnencodableError) as raised:
            await storage.tasks.enqueue([NewTask("good", b""), NewTask(bad, b"")])
        assert raised.value.hint
        with pytest.raises(OversizedError):
            await storage.tasks.enqueue([NewTask("good", b""), NewTask("big", b"x" * 11)])
        with pytest.raises(OversizedError):
            await storage.tasks.enqueue([NewTask("long" * 200, b"")])
        assert await claim(storage) == []


async def test_the_rollback_way_keeps_the_turns_of_a_thread(timed: Place) -> None:
    """A first task that waits for its retry holds its place: reading around it let the second one start."""
    async with timed.open() as storage:
        await storage.tasks.enqueue([task(name, thread_id="th", session_id="s") for name in ("first", "second")])
        started = await storage.unclaimed_tasks.start("first", "w", 10)
        assert started is not None
        await storage.tasks.complete([done(started, TaskStatus.RETRY, retry_in_s=50)])
        assert await storage.unclaimed_tasks.pending() == []
        timed.manual.advance(51)
        assert [record.task_id for record in await storage.unclaimed_tasks.pending()] == ["first"]


@pytest.mark.parametrize("end", [TaskStatus.RETRY, TaskStatus.PENDING, None])
async def test_whoever_ran_out_of_turn_goes_back_in_line(timed: Place, end: TaskStatus | None) -> None:
    """A poller that read before others finished starts what is not due; None = and dies."""
    async with timed.open() as storage:
        await storage.tasks.enqueue([task(name, thread_id="th", session_id="s") for name in ("first", "second")])
        started = await storage.unclaimed_tasks.start("second", "w", 10)
        assert started is not None
        if end:
            assert (await storage.tasks.complete([done(started, end)])).accepted == {"second"}
        timed.manual.advance(11)
        await storage.tasks.upkeep()
        for name in ("first", "second"):
            (one,) = await claim(storage)
            assert one.task_id == name
            await storage.tasks.complete([done(one)])
        assert set((await statuses(storage)).values()) == {TaskStatus.SUCCESS}


async def test_a_finished_task_that_is_started_again_and_dies_comes_back(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t")])
        (one,) = await claim(storage)
        await storage.tasks.complete([done(one)])
        assert await storage.unclaimed_tasks.start("t", "late", 10) is not None
        timed.manual.advance(11)
        assert (await storage.tasks.upkeep()).recovered == 1
        assert names(await claim(storage)) == ["t"]
