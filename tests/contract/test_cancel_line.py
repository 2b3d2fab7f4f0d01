"""A cancel and the tasks that wait in its session's line: they end first, and whoever watches hears of them."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import Completion, Held, NewTask, TaskRecord, TaskStatus
from evenkeel.hotpath.ports.errors import StoppedError
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.stream_events import Cursor, TaskFence
from tests.contract.cancelling import RULES, service, terminal_events
from tests.storages import Place
from tests.streams import FINAL, note, read_until


async def test_a_claimed_task_that_has_not_begun_never_does(place: Place) -> None:
    """Its handler hears of it and says so: nobody else speaks for what a worker holds."""
    async with service(place) as one:
        tasks, storage = one.here.storage.tasks, one.here.storage
        await tasks.enqueue([NewTask("waits", b"", session_id="s", user_id="user")])
        (claimed,) = await tasks.claim("worker", 1, 30)
        report = await one.cancellation.cancel("s")
        assert (report.running, report.terminal_event) == (("waits",), None)
        with pytest.raises(StoppedError):
            await one.here.writer.begin("s", "user", fence=TaskFence("waits", claimed.attempt))
        assert (await storage.events.read_tail("s")).events == ()


async def test_what_waits_is_gone_before_a_run_hears(place: Place) -> None:
    """Else the run that stops frees its turn, and the next in line begins while it is being cancelled."""
    async with service(place) as one:
        tasks = one.here.storage.tasks
        await tasks.enqueue([NewTask(name, b"", session_id="s", thread_id="th", user_id="user") for name in "ab"])
        (claimed,) = await tasks.claim("worker", 5, 30)

        async def give_way() -> list[str]:
            await tasks.complete([Completion("a", claimed.attempt, TaskStatus.CANCELLED)])
            return [each.task_id for each in await tasks.claim("worker", 5, 30)]

        with one.cancellation.token("s", "run") as token:
            next_ones: list[asyncio.Task[list[str]]] = []
            token.on_cancel(lambda _: next_ones.append(asyncio.create_task(give_way())))
            await one.here.writer.begin("s", "user")
            await one.cancellation.cancel("s")
            await token.wait()
            assert await next_ones[0] == []
        assert await tasks.active(["s"]) == frozenset()
        assert len(await terminal_events(one.here, "s")) == 1


def announced(task: TaskRecord) -> Draft | None:
    """Of half of the tasks somebody was told."""
    return note("queue_fail", queue_id=task.task_id) if task.payload == b"told" else None


async def test_what_waits_is_told_of_behind_the_run_that_ends(place: Place) -> None:
    async with service(place, unbegun=announced) as one:
        tasks = one.here.storage.tasks
        await tasks.enqueue([NewTask("a", b"", session_id="s", thread_id="th", user_id="user")])
        assert len(await tasks.claim("worker", 1, 30)) == 1
        for name, payload in (("b", b"told"), ("c", b""), ("d", b"told")):
            await tasks.enqueue([NewTask(name, payload, session_id="s", thread_id="th", user_id="user")])
        reader = await one.here.bus.subscribe(Cursor("s", 0), "s")
        await one.here.writer.begin("s", "user")
        await one.cancellation.cancel("s")
        seen = await read_until(reader, lambda seen: seen.kinds.count("queue_fail") == 2 and "error" in seen.kinds)
        assert sorted(seen.kinds) == ["error", "queue_fail", "queue_fail"]
        again = await one.cancellation.cancel("s")
        assert again.tasks == ("a",)
        assert len((await one.here.storage.events.read_tail("s")).events) == 3


async def test_where_nothing_is_at_work_the_last_word_comes_first(place: Place) -> None:
    async with service(place, unbegun=announced) as one:
        waiting = [NewTask(name, b"told", session_id="s", thread_id="th", user_id="user") for name in "ab"]
        await one.here.storage.tasks.enqueue(waiting)
        reader = await one.here.bus.subscribe(Cursor("s", 0), "s")
        report = await one.cancellation.cancel("s")
        seen = await read_until(reader, lambda seen: len(seen.kinds) == 3)
        assert seen.kinds == ["error", "queue_fail", "queue_fail"]
        assert (report.tasks, report.terminal_event) == (("a", "b"), seen.ids[0])


async def test_a_run_that_says_its_last_word_is_left_to_it(place: Place) -> None:
    async with service(place, unbegun=announced) as one:
        tasks = one.here.storage.tasks
        both = [NewTask(name, b"told", session_id="s", thread_id="th", user_id="user") for name in "ab"]
        await tasks.enqueue(both)
        assert len(await tasks.claim("worker", 1, 30)) == 1
        with one.cancellation.token("s", "run") as token:
            run = await one.here.writer.begin("s", "user")
            report = await one.cancellation.cancel("s", sparing="a")
            assert (report.tasks, report.terminal_event, token.reason) == (("b",), None, None)
            await run.emit(FINAL)
        page = await one.here.storage.events.read_tail("s")
        assert len(page.events) == 2
        beat = await tasks.heartbeat([Held("a", 1)], 30)
        assert beat.cancelled == frozenset()


async def test_a_run_that_came_after_the_cancel_is_not_ended_by_it(place: Place) -> None:
    """The cancel of an earlier run still waits when the next has begun."""
    async with service(place) as one:
        first = await one.here.writer.begin("s", "user")
        term = first.term
        await first.emit(FINAL)
        second = await one.here.writer.begin("s", "user")
        assert await one.here.writer.settle("s", RULES.terminal, term=term) is None
        await second.emit(note())
        await second.emit(FINAL)
