"""Cancellation: heard at once, settled once, and nothing old survives it."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import Completion, NewTask, TaskStatus
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.errors import FencedError, QueueFullError
from evenkeel.hotpath.ports.event_writer import RunWriter
from evenkeel.hotpath.ports.leases import Lease, LeaseRequest
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.ports.threads import ThreadStatus
from evenkeel.hotpath.ports.wakeups import Mode
from tests.contract.cancelling import RULES, service, terminal_events
from tests.storages import Place
from tests.streams import FINAL, Instance, delta, finished, note, read_until, until


async def held(place: Instance, session_id: str, owner: str) -> Lease:
    lease = await place.storage.leases.acquire(LeaseRequest(session_id, owner, "user"))
    assert lease is not None
    return lease


async def test_a_run_here_hears_and_its_session_is_settled(place: Place) -> None:
    """Lesson i: cancel = signal + settle task rows + thread state + one stored terminal event."""
    async with service(place) as one:
        here = one.here
        await here.storage.threads.bind("user", "agent", "s")
        await here.storage.threads.set_status("s", ThreadStatus.BUSY)
        await here.storage.tasks.enqueue([NewTask("running", b"", session_id="s", thread_id="thread_s")])
        await here.storage.tasks.enqueue([NewTask("queued", b"", session_id="s", thread_id="thread_s")])
        (claimed,) = await here.storage.tasks.claim("worker", 1, 30)
        await held(here, "s", "run")
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        with one.cancellation.token("s", "run") as token:
            run = await here.writer.begin("s", "user")
            await run.emit(delta("so far"))
            report = await one.cancellation.cancel("s")
            assert await token.wait() is token.reason is CancelledBy.USER
        assert report.signalled
        assert not report.woke
        assert set(report.tasks) == {"running", "queued"}
        seen = await read_until(reader, finished)
        assert (seen.text(), seen.kinds[-1]) == ("so far", "error")
        assert seen.ids[-1] == report.terminal_event
        assert len(await terminal_events(here, "s")) == 1
        assert await here.storage.leases.live(["s"]) == {}
        thread = await here.storage.threads.main("user", "agent")
        assert thread is not None
        assert thread.status is ThreadStatus.IDLE
        with pytest.raises(FencedError):
            await run.emit(FINAL)  # an old coroutine cannot overwrite newer state
        await here.storage.tasks.complete([Completion("running", claimed.attempt, TaskStatus.CANCELLED)])
        assert await here.storage.tasks.active(["s"]) == frozenset()


async def test_cancelling_again_changes_nothing(place: Place) -> None:
    async with service(place) as one:
        with one.cancellation.token("s", "run"):
            run = await one.here.writer.begin("s", "user")
            await run.emit(note())
            first = await one.cancellation.cancel("s")
            again = await one.cancellation.cancel("s")
        assert first.terminal_event == 2
        assert (again.terminal_event, again.tasks) == (None, ())
        assert len(await terminal_events(one.here, "s")) == 1


async def test_a_run_elsewhere_hears_too(place: Place) -> None:
    async with service(place) as here, service(place) as there:
        if place.is_postgres:
            await until(lambda: there.here.storage.wakeups.mode is here.here.storage.wakeups.mode is Mode.LISTEN)
            await asyncio.sleep(0.05)
        await held(there.here, "s", "run")
        with there.cancellation.token("s", "run") as token:
            await asyncio.sleep(0.1)  # the slow look has seen its lease
            run = await there.here.writer.begin("s", "user")
            await run.emit(delta("so far"))
            report = await here.cancellation.cancel("s")
            reason = await token.wait()
        assert report.woke
        assert not report.signalled
        heard = place.is_postgres and place.profile == "optimised"
        assert reason is (CancelledBy.USER if heard else CancelledBy.LEASE_LOST)
        assert len(await terminal_events(here.here, "s")) == 1
        with pytest.raises(FencedError):
            await _say_more(run)


async def _say_more(run: RunWriter) -> None:
    await run.emit(note())
    await run.flush()


async def test_the_next_run_is_not_hit_by_an_earlier_cancel(place: Place) -> None:
    async with service(place) as one:
        with one.cancellation.token("s", "first") as first:
            await held(one.here, "s", "first")
            await one.cancellation.cancel("s")
            await first.wait()
            lease = await held(one.here, "s", "second")  # while the first has not ended yet
            with one.cancellation.token("s", "second") as second:
                await asyncio.sleep(0.15)
                assert second.reason is None
                run = await one.here.writer.begin("s", "user")
                await run.emit(FINAL)
        assert (await one.here.storage.leases.live(["s"]))["s"] == lease


async def test_a_queued_session_is_told_that_its_run_will_not_come(place: Place) -> None:
    async with service(place) as one:
        await one.here.storage.tasks.enqueue([NewTask("t", b"", session_id="s", user_id="user")])
        reader = await one.here.bus.subscribe(Cursor("s", 0), "s")
        report = await one.cancellation.cancel("s")
        assert report.tasks == ("t",)
        seen = await read_until(reader, finished)
        assert seen.ids == [report.terminal_event]


async def test_a_run_that_ended_itself_is_not_ended_again(place: Place) -> None:
    """Its task is finished a moment after its last word; a cancel that comes in between adds nothing to the stream."""
    async with service(place) as one:
        tasks = one.here.storage.tasks
        for end in (FINAL, RULES.terminal):
            await tasks.enqueue([NewTask(end.kind, b"", session_id="s", user_id="user")])
            (claimed,) = await tasks.claim("worker", 1, 30)
            run = await one.here.writer.begin("s", "user")
            await run.emit(end)
            await run.close()
            report = await one.cancellation.cancel("s")
            assert (report.tasks, report.terminal_event) == ((end.kind,), None)
            await tasks.complete([Completion(claimed.task_id, claimed.attempt, TaskStatus.SUCCESS)])
        assert len(await terminal_events(one.here, "s")) == 2


async def test_an_idle_session_gets_no_event(place: Place) -> None:
    async with service(place) as one:
        report = await one.cancellation.cancel("s")
        assert (report.signalled, report.woke, report.tasks, report.terminal_event) == (False, False, (), None)
        assert await terminal_events(one.here, "s") == []


async def test_a_disconnect_cancels_nothing(place: Place) -> None:
    """Lesson e: only `cancel` cancels, never a client that goes away."""
    async with service(place) as one:
        reader = await one.here.bus.subscribe(Cursor("s", 0), "s")
        with one.cancellation.token("s", "run") as token:
            run = await one.here.writer.begin("s", "user")
            reading = asyncio.create_task(read_until(reader, finished))
            await run.emit(delta("a"))
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await reader.aclose()
            await asyncio.sleep(0.05)
            assert token.reason is None
            await run.emit(FINAL)
        page = await one.here.storage.events.read(Cursor("s", 0))
        assert len(page.events) == 2


async def test_callbacks_and_waiters_hear_once_and_too_late_is_at_once(place: Place) -> None:
    async with service(place) as one:
        heard: list[CancelledBy] = []
        with one.cancellation.token("s", "run") as token:
            token.on_cancel(heard.append)
            waiting = [asyncio.create_task(token.wait()) for _ in range(3)]
            await asyncio.sleep(0)
            await one.cancellation.cancel("s", CancelledBy.ADMIN)
            assert await asyncio.gather(*waiting) == [CancelledBy.ADMIN] * 3
            token.on_cancel(heard.append)
            await one.cancellation.cancel("s", CancelledBy.USER)
        assert heard == [CancelledBy.ADMIN, CancelledBy.ADMIN]


async def test_a_finished_run_leaves_nothing_behind(place: Place) -> None:
    async with service(place, tokens=5) as one:
        for number in range(50):
            with one.cancellation.token(f"s{number}", "run"):
                pass
        assert one.here.count("evenkeel_cancellation_tokens_items") == 0
        tokens = [one.cancellation.token("s", f"run{number}") for number in range(6)]
        for token in tokens[:5]:
            token.__enter__()
        with pytest.raises(QueueFullError):
            tokens[5].__enter__()
        assert one.here.count("evenkeel_cancellation_tokens_items") == 5
        for token in tokens[:5]:
            token.__exit__(None, None, None)
