"""Work that is started at once, beside the workers, and still is a task: it outlives the process that started it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from evenkeel.hotpath.ports.agent_tasks import AgentTasks, ClaimedTask, Completion, Settled, TaskStatus
from evenkeel.hotpath.ports.task_queue import TaskContext
from evenkeel.kernel.errors import OverloadedError
from tests.contract.queued import claim, done, statuses
from tests.queues import Log, running, settled, task, until
from tests.storages import Place


async def test_what_is_taken_is_running_and_nobody_can_claim_it(timed: Place) -> None:
    async with timed.open() as storage:
        taken = await storage.tasks.take(task("t", thread_id="th", agent_id="a", request_id="r"), "w", 10)
        assert taken is not None
        assert (taken.task_id, taken.attempt, taken.thread_id, taken.agent_id) == ("t", 1, "th", "a")
        assert await claim(storage) == []
        assert await storage.tasks.take(task("t"), "w", 10) is None  # a known id
        timed.manual.advance(11)
        assert (await storage.tasks.upkeep()).recovered == 1
        (again,) = await claim(storage)
        assert (again.task_id, again.attempt, again.payload) == ("t", 2, taken.payload)
        assert (await storage.tasks.complete([done(taken)])).fenced == {"t"}


async def test_nothing_is_taken_while_the_thread_has_unfinished_work(place: Place) -> None:
    async with place.open() as storage:
        first = await storage.tasks.take(task("a", thread_id="th"), "w", 10)
        assert first is not None
        await storage.tasks.enqueue([task("b", thread_id="th")])
        assert await storage.tasks.take(task("c", thread_id="th"), "w", 10) is None
        await storage.tasks.complete([done(first)])
        assert await storage.tasks.take(task("c", thread_id="th"), "w", 10) is None  # b has its turn
        (b,) = await claim(storage)
        await storage.tasks.complete([done(b)])
        assert await storage.tasks.take(task("c", thread_id="th"), "w", 10) is not None
        assert await statuses(storage) == {
            "a": TaskStatus.SUCCESS,
            "b": TaskStatus.SUCCESS,
            "c": TaskStatus.RUNNING,
        }


async def test_of_many_that_take_one_thread_one_gets_it(place: Place) -> None:
    async with place.open() as storage, place.open() as other:
        tries = (mine.tasks.take(task(f"t{n}", thread_id="th"), "w", 10) for n, mine in enumerate([storage, other] * 5))
        assert sum(each is not None for each in await asyncio.gather(*tries)) == 1


async def test_started_work_needs_no_free_worker(place: Place) -> None:
    go, log = asyncio.Event(), Log()

    async def wait(claimed: ClaimedTask, context: TaskContext) -> None:
        await go.wait()

    log.during = wait
    async with running(place, log.handler, max_workers=1) as one:
        await one.queue.submit(task("queued"))
        await until(lambda: log.now == 1)
        assert await one.queue.start(task("direct"), log.handler)
        await until(lambda: log.now == 2)
        assert not await one.queue.start(task("direct"), log.handler)
        go.set()
        assert set((await settled(one.storage, "queued", "direct")).values()) == {TaskStatus.SUCCESS}


async def test_the_next_start_of_a_thread_waits_for_the_outcome_of_the_one_before(place: Place) -> None:
    """The caller sees the end of a run before its outcome is stored; what it asks next must not queue behind it."""
    log, ended = Log(), asyncio.Event()

    async def end(claimed: ClaimedTask, context: TaskContext) -> None:
        ended.set()

    log.during = end
    async with running(place, log.handler) as one:
        for number in range(20):
            ended.clear()
            assert await one.queue.start(task(f"t{number}", thread_id="th"), log.handler)
            await ended.wait()
            await asyncio.sleep(0)
        assert log.most == 1


async def test_an_outcome_that_is_stored_while_storage_answers_frees_its_thread(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That answer is an old one: the thread was busy when storage was asked, and is free when the answer comes."""
    log, may_store, answered = Log(), asyncio.Event(), asyncio.Event()
    async with running(place, log.handler) as one:
        tasks = type(one.storage.tasks)
        take, complete = tasks.take, tasks.complete

        async def late_answer(self: AgentTasks, *what: Any) -> ClaimedTask | None:
            found = await take(self, *what)
            if found is None and not may_store.is_set():
                may_store.set()
                await settled(one.storage, "t1")
                await until(answered.is_set)
            return found

        async def held_back(self: AgentTasks, outcomes: Sequence[Completion]) -> Settled:
            await may_store.wait()
            try:
                return await complete(self, outcomes)
            finally:
                asyncio.get_running_loop().call_later(0.05, answered.set)

        monkeypatch.setattr(tasks, "take", late_answer)
        monkeypatch.setattr(tasks, "complete", held_back)
        assert await one.queue.start(task("t1", thread_id="th"), log.handler)
        await until(lambda: log.most == 1 and log.now == 0)
        await asyncio.sleep(0.05)
        assert await one.queue.start(task("t2", thread_id="th"), log.handler)


async def test_a_closing_queue_gives_started_work_back_and_starts_no_more(place: Place) -> None:
    log = Log(during=lambda claimed, context: asyncio.sleep(3_600))
    async with place.open() as storage:
        async with running(place, log.handler, drain_s=0.05) as one:
            assert await one.queue.start(task("t", thread_id="th"), log.handler)
            await until(lambda: log.now == 1)
        with pytest.raises(OverloadedError):
            await one.queue.start(task("late"), log.handler)
        if place.profile == "optimised":
            (again,) = await claim(storage)
            assert (again.task_id, again.attempt) == ("t", 2)
