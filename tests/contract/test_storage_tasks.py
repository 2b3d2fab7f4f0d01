"""Agent tasks: nobody runs one twice, nobody starves, and a late worker writes nothing."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import Held, NewTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from tests.contract.queued import claim, done, names, statuses, task
from tests.storages import Place


async def test_every_task_is_claimed_once_by_many_claimers(place: Place) -> None:
    async with place.open() as storage, place.open() as other:
        count = 120
        assert await storage.tasks.enqueue([task(f"t{n}") for n in range(count)]) == count
        got: list[str] = []

        async def work(mine: Storage, worker: str) -> None:
            while batch := await claim(mine, 7, worker=worker):
                got.extend(names(batch))
                settled = await mine.tasks.complete([done(each) for each in batch])
                assert settled.accepted == frozenset(names(batch))

        await asyncio.gather(*(work(mine, f"w{n}") for n, mine in enumerate([storage, other, storage, other])))
        assert sorted(got) == sorted(f"t{n}" for n in range(count))
        assert (await storage.tasks.depth()).waiting == 0


async def test_a_claim_carries_what_was_queued(timed: Place) -> None:
    async with timed.open() as storage:
        new = NewTask("t", b"\0\xff", "u", "s", "th", "a", "r", priority=0, max_attempts=5)
        await storage.tasks.enqueue([new])
        timed.manual.advance(3)
        (got,) = await claim(storage)
        assert (got.task_id, got.attempt, got.max_attempts) == ("t", 1, 5)
        assert (got.thread_id, got.session_id, got.user_id, got.agent_id, got.payload) == (
            "th",
            "s",
            "u",
            "a",
            b"\0\xff",
        )
        assert got.waited_s == pytest.approx(3)


async def test_queueing_again_changes_nothing(place: Place) -> None:
    async with place.open() as storage:
        assert await storage.tasks.enqueue([task("a"), task("b", thread_id="th")]) == 2
        assert await storage.tasks.enqueue([task("a"), task("b", thread_id="th"), task("c")]) == 1
        assert sorted(names(await claim(storage))) == ["a", "b", "c"]
        assert await storage.tasks.enqueue([task("a")]) == 0
        assert await claim(storage) == []


async def test_urgent_goes_first_and_older_work_overtakes(timed: Place) -> None:
    """Ageing: each level of priority is worth task_ageing_s of waiting."""
    async with timed.open(task_ageing_s=60) as storage:
        await storage.tasks.enqueue([task("old low", priority=2)])
        timed.manual.advance(61)
        await storage.tasks.enqueue(
            [task("new low", priority=2), task("normal", priority=1), task("urgent", priority=0)]
        )
        assert names(await claim(storage)) == ["urgent", "old low", "normal", "new low"]


async def test_no_load_of_urgent_work_starves_the_rest(timed: Place) -> None:
    async with timed.open(task_ageing_s=10) as storage:
        await storage.tasks.enqueue([task("patient", priority=5)])
        rounds = 0
        claimed: list[str] = []
        while "patient" not in claimed:
            rounds += 1
            assert rounds < 150
            await storage.tasks.enqueue([task(f"urgent {rounds} {n}", priority=0) for n in range(2)])
            batch = await claim(storage, limit=1)
            claimed += names(batch)
            timed.manual.advance(1)
        assert rounds > 90  # what came within 5 levels of 10 s went first, two a round against one claimed


async def test_tasks_of_a_thread_run_one_at_a_time_in_order(place: Place) -> None:
    async with place.open() as storage:
        await storage.tasks.enqueue([task("a1", thread_id="a"), task("a2", thread_id="a"), task("b1", thread_id="b")])
        await storage.tasks.enqueue([task("a3", thread_id="a", priority=0)])
        first = await claim(storage)
        assert sorted(names(first)) == ["a1", "b1"]
        assert await claim(storage) == []
        await storage.tasks.complete([done(each) for each in first])
        second = await claim(storage)
        assert names(second) == ["a2"]
        await storage.tasks.complete([done(second[0], TaskStatus.FAILED)])
        assert names(await claim(storage)) == ["a3"]


async def test_a_thread_is_exclusive_under_concurrent_queueing_and_claiming(place: Place) -> None:
    async with place.open() as storage, place.open() as other:
        running: set[str] = set()
        ran: list[str] = []

        async def work(mine: Storage, worker: str) -> None:
            idle = 0
            while idle < 10:
                batch = await claim(mine, 3, worker=worker)
                idle = 0 if batch else idle + 1
                for each in batch:
                    assert each.thread_id not in running
                    running.add(each.thread_id)
                await asyncio.sleep(0.001)
                for each in batch:
                    running.remove(each.thread_id)
                    ran.append(each.task_id)
                if batch:
                    await mine.tasks.complete([done(each) for each in batch])

        async def queue(mine: Storage, mark: str) -> None:
            for n in range(12):
                await mine.tasks.enqueue([task(f"{mark}{n}", thread_id=f"th{n % 3}")])

        await asyncio.gather(queue(storage, "x"), queue(other, "y"), work(storage, "w1"), work(other, "w2"))
        while (await storage.tasks.upkeep()).promoted or (await storage.tasks.depth()).waiting:
            await work(storage, "w3")
        assert sorted(ran) == sorted(f"{mark}{n}" for mark in "xy" for n in range(12))


async def test_a_retry_keeps_the_turn_of_its_thread(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("first", thread_id="th"), task("second", thread_id="th")])
        (first,) = await claim(storage)
        await storage.tasks.complete([done(first, TaskStatus.RETRY, retry_in_s=5)])
        assert await claim(storage) == []
        timed.manual.advance(6)
        assert (await storage.tasks.upkeep()).woken == 1
        assert names(await claim(storage)) == ["first"]


async def test_a_completion_is_fenced_by_the_attempt(timed: Place) -> None:
    """Lesson r: an expired lease returns to the queue; its late worker changes nothing."""
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t", session_id="s")])
        (old,) = await claim(storage, lease_s=10)
        timed.manual.advance(11)
        assert (await storage.tasks.upkeep()).recovered == 1
        late = await storage.tasks.complete([done(old)])
        assert (set(late.accepted), set(late.fenced)) == (set(), {"t"})
        (new,) = await claim(storage)
        assert new.attempt == old.attempt + 1
        assert (await storage.tasks.complete([done(old)])).fenced == {"t"}
        assert (await storage.tasks.complete([done(new)])).accepted == {"t"}
        assert (await storage.tasks.complete([done(old, TaskStatus.FAILED)])).fenced == {"t"}
        assert await statuses(storage) == {"t": TaskStatus.SUCCESS}


async def test_completing_again_is_accepted_again(place: Place) -> None:
    async with place.open() as storage:
        await storage.tasks.enqueue([task("t"), task("u")])
        got = await claim(storage)
        outcomes = [done(got[0]), done(got[1], TaskStatus.RETRY, retry_in_s=100)]
        for _ in range(2):
            assert await storage.tasks.complete(outcomes) == await storage.tasks.complete(outcomes)
            assert (await storage.tasks.complete(outcomes)).accepted == frozenset(names(got))


async def test_heartbeats_keep_a_lease_and_tell_what_is_lost(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("kept"), task("lost")])
        held = {each.task_id: Held(each.task_id, each.attempt) for each in await claim(storage, lease_s=10)}
        timed.manual.advance(8)
        beat = await storage.tasks.heartbeat([held["kept"]], 10)
        assert (beat.lost, beat.cancelled) == (frozenset(), frozenset())
        timed.manual.advance(8)
        assert (await storage.tasks.upkeep()).recovered == 1
        beat = await storage.tasks.heartbeat(list(held.values()), 10)
        assert beat.lost == {"lost"}
        assert names(await claim(storage)) == ["lost"]
        assert (await storage.tasks.heartbeat([Held("kept", 99), Held("unknown", 1)], 10)).lost == {"kept", "unknown"}


async def test_an_expired_lease_that_nobody_recovered_is_still_held(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t")])
        (got,) = await claim(storage, lease_s=10)
        timed.manual.advance(60)
        assert (await storage.tasks.heartbeat([Held("t", got.attempt)], 10)).lost == frozenset()
        assert (await storage.tasks.upkeep()).recovered == 0


async def test_tries_are_counted_and_end_in_a_dead_letter(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("t", max_attempts=3, session_id="s")])
        for attempt in (1, 2, 3):
            (got,) = await claim(storage)
            assert got.attempt == attempt
            await storage.tasks.complete([done(got, TaskStatus.RETRY, error="no \0 luck \ud800")])
            await storage.tasks.upkeep()
        assert await claim(storage) == []
        (dead,) = await storage.tasks.dead()
        assert (dead.task_id, dead.status) == ("t", TaskStatus.DEAD)
        assert "no" in dead.last_error
        assert await storage.tasks.revive(["t", "unknown"]) == 1
        (again,) = await claim(storage)
        assert again.attempt == 4


async def test_workers_that_die_use_up_tries_too(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([task("poison", max_attempts=2, thread_id="th"), task("next", thread_id="th")])
        for _ in range(2):
            assert names(await claim(storage, lease_s=1)) == ["poison"]
            timed.manual.advance(2)
            upkeep = await storage.tasks.upkeep()
            assert upkeep.recovered == 1
        assert upkeep.dead == 1
        assert names(await claim(storage)) == ["next"]


async def test_giving_back_counts_no_try(place: Place) -> None:
    async with place.open() as storage:
        await storage.tasks.enqueue([task("t", max_attempts=1, thread_id="th")])
        for attempt in (1, 2, 3):
            (got,) = await claim(storage)
            assert got.attempt == attempt
            assert (await storage.tasks.complete([done(got, TaskStatus.PENDING)])).accepted == {"t"}
