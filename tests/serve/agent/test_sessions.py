"""Which session a request goes to, what happens while it is busy, and who owns what."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evenkeel.hotpath.ports.agent_tasks import TaskStatus
from evenkeel.hotpath.ports.errors import UnknownSessionError
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.threads import ThreadStatus
from evenkeel.kernel.errors import OverloadedError
from evenkeel.serve.agent.settings import QueueingSettings
from evenkeel.serve.ports.failures import RunFailedError, RunRefusedError
from evenkeel.serve.ports.requests import Attachment, RunRequest
from evenkeel.serve.ports.runs import Begun, Queued, RunState
from tests.serve.agent.agents import Agent, Script, agent, heard, kinds, one, settings_in, until
from tests.storages import Place


async def test_without_a_session_the_main_one_is_used_and_made_once(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        first = await mine.runs.submit(RunRequest("ann", "one"))
        assert isinstance(first, Begun)
        await heard(first)
        second = await mine.runs.submit(RunRequest("ann", "two"))
        assert isinstance(second, Begun)
        await heard(second)
        assert first.session_id == second.session_id
        assert (first.user_round, second.user_round) == (1, 2)
        other = await mine.runs.submit(RunRequest("ann", "three", agent_id="helper"))
        assert isinstance(other, Begun)
        await heard(other)
        assert other.session_id != first.session_id
        session = await mine.parts.storage.sessions.get(first.session_id, "ann")
        assert session.title == "one"


async def test_the_newest_session_becomes_the_main_one(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["x"]])) as mine:
        await mine.parts.storage.sessions.ensure(NewSession("mine", "ann", ""))
        begun = await mine.runs.submit(RunRequest("ann", "one"))
        assert isinstance(begun, Begun)
        await heard(begun)
        assert begun.session_id == "mine"


async def test_a_busy_main_session_is_forked(place: Place, tmp_path: Path) -> None:
    go = asyncio.Event()
    script = Script([["first", go], ["second"]])
    async with agent(place, tmp_path, script) as mine:
        first = await mine.runs.submit(RunRequest("ann", "one"))
        assert isinstance(first, Begun)
        await until(lambda: script.at == 1)
        second = await mine.runs.submit(RunRequest("ann", "two"))
        assert isinstance(second, Begun)
        assert second.session_id != first.session_id
        assert one(await heard(second), "final")["answer"] == "second"
        main = await mine.parts.storage.threads.main("ann", "")
        assert main is not None
        assert main.session_id == first.session_id
        go.set()
        await heard(first)


async def test_a_foreign_session_is_unknown(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        await mine.told("mine")
        with pytest.raises(UnknownSessionError):
            await mine.runs.submit(RunRequest("bob", "yours", session_id="s"))
        assert await mine.runs.states(["s"]) == {"s": RunState.IDLE}


@pytest.mark.parametrize("how", ["allow_queue", "settings"])
async def test_a_busy_session_refuses_what_may_not_wait(place: Place, tmp_path: Path, how: str) -> None:
    script = Script([["first", asyncio.Event()]])
    settings = settings_in(tmp_path, queue=QueueingSettings(enabled=how != "settings"))
    async with agent(place, tmp_path, script, settings=settings, queue={"drain_s": 0.0}) as mine:
        begun = await mine.ask("one")
        await until(lambda: script.at == 1)
        with pytest.raises(RunRefusedError) as raised:
            await mine.runs.submit(RunRequest("ann", "two", session_id="s", allow_queue=how != "allow_queue"))
        assert (raised.value.code, raised.value.status) == ("USER_BUSY", 429)
        await begun.subscription.aclose()


async def test_the_next_message_right_after_the_last_word_is_not_queued(place: Place, tmp_path: Path) -> None:
    """A client sends as soon as it sees `final`; the session is not quite free then."""
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        for number in range(12):
            told = await heard(await mine.ask(f"message {number}"))
            assert told[0].data["user_round"] == number + 1


async def test_queued_messages_run_one_after_the_other_in_order(place: Place, tmp_path: Path) -> None:
    go = asyncio.Event()
    script = Script([["0", go], ["1"], ["2"], ["3"]])
    async with agent(place, tmp_path, script) as mine:
        first = await mine.ask("q0")
        await until(lambda: script.at == 1)
        queued = [await mine.runs.submit(RunRequest("ann", f"q{n}", session_id="s")) for n in (1, 2, 3)]
        assert all(isinstance(each, Queued) for each in queued)
        go.set()
        await heard(first)
        await until(lambda: _rows(mine, 8))
        assert [row["content"] for row in await mine.rows()] == ["q0", "0", "q1", "1", "q2", "2", "q3", "3"]
        statuses = {record.status for record in await mine.parts.storage.tasks.of_session("s")}
        assert statuses <= {TaskStatus.SUCCESS, TaskStatus.RUNNING}


async def _rows(mine: Agent, count: int) -> bool:
    return len(await mine.rows()) >= count


async def test_a_queued_run_that_fails_is_a_failed_task(place: Place, tmp_path: Path) -> None:
    """Lesson q: its outcome is its terminal event, which an `error` is."""
    go = asyncio.Event()
    script = Script([["0", go], [ValueError("no")]])
    async with agent(place, tmp_path, script) as mine:
        first = await mine.ask("q0")
        await until(lambda: script.at == 1)
        queued = await mine.runs.submit(RunRequest("ann", "q1", session_id="s"))
        assert isinstance(queued, Queued)
        go.set()
        await heard(first)

        async def failed() -> bool:
            records = await mine.parts.storage.tasks.of_session("s")
            return any(each.task_id == queued.queue_id and each.status is TaskStatus.FAILED for each in records)

        await until(failed)
        assert [told.kind for told in await mine.stored()][-2:] == ["error", "queue_fail"]


async def test_a_cancel_settles_what_waits_too(place: Place, tmp_path: Path) -> None:
    """Lesson i: after a cancel nothing queues behind a ghost."""
    script = Script([["0", asyncio.Event()], ["1"]])
    async with agent(place, tmp_path, script) as mine:
        first = await mine.ask("q0")
        await until(lambda: script.at == 1)
        queued = await mine.runs.submit(RunRequest("ann", "q1", session_id="s"))
        assert isinstance(queued, Queued)
        assert await mine.runs.cancel("s")
        assert (await heard(first))[-1].data["code"] == "CANCELLED"
        told = await mine.told("again")
        assert one(told, "final")["answer"] == "1"
        if place.profile == "optimised":  # the old queue may start a task that was cancelled as it read it
            assert kinds(await mine.stored()).count("error") == 1
        records = {each.task_id: each.status for each in await mine.parts.storage.tasks.of_session("s")}
        assert records[queued.queue_id] is TaskStatus.CANCELLED


async def test_a_cancel_that_comes_too_late_says_nothing(place: Place, tmp_path: Path) -> None:
    """Stop, pressed as the answer ends: the run has said its last word, and there is one last word."""
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        for number in range(5):
            assert (await mine.told(f"message {number}"))[-1].kind == "final"
            assert not await mine.runs.cancel("s")
        assert "error" not in kinds(await mine.stored())


async def test_a_queued_run_that_is_cancelled_before_it_has_the_session_says_so(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["x", asyncio.Event()]])) as mine:
        storage = mine.parts.storage
        await storage.sessions.ensure(NewSession("s", "ann", ""))
        assert await storage.leases.acquire(LeaseRequest("s", "someone else", "ann", ttl_s=60.0))
        queued = await mine.runs.submit(RunRequest("ann", "wait", session_id="s"))
        assert isinstance(queued, Queued)

        async def claimed() -> bool:
            return (await storage.tasks.of_session("s"))[0].status is TaskStatus.RUNNING

        await until(claimed)
        assert await mine.runs.cancel("s")

        async def said() -> bool:
            return [told.kind for told in await mine.stored()][-2:] == ["error", "queue_fail"]

        await until(said)
        assert kinds(await mine.stored()).count("error") == 1


async def test_a_row_that_says_running_keeps_nobody_out(place: Place, tmp_path: Path) -> None:
    """Lesson j: busy needs live evidence. The status of a thread is a hint, an open stream without a lease is a corpse."""
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        await mine.told("one")
        await mine.parts.storage.threads.bind("ann", "", "s")
        await mine.parts.storage.threads.set_status("s", ThreadStatus.BUSY)
        await mine.parts.storage.events.open("s", "ann")
        assert await mine.runs.states(["s"]) == {"s": RunState.IDLE}
        assert one(await mine.told("two"), "final")["answer"] == "x"


async def test_whoever_asked_may_go_away(place: Place, tmp_path: Path) -> None:
    """Lesson e: the lease belongs to the run, not to the connection."""
    go = asyncio.Event()
    script = Script([["so ", go, "far"]])
    async with agent(place, tmp_path, script) as mine:
        asking = asyncio.create_task(mine.runs.submit(RunRequest("ann", "one", session_id="s")))
        await asyncio.sleep(0)
        asking.cancel()
        await until(lambda: script.at == 1)
        again = await mine.runs.submit(RunRequest("ann", "two", session_id="s"))
        assert isinstance(again, Queued)
        assert await mine.runs.states(["s"]) == {"s": RunState.RUNNING}
        go.set()
        await until(lambda: _rows(mine, 4))
        assert (await mine.rows())[1]["content"] == "so far"


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest("ann", "  "),
        RunRequest(" ", "x"),
        RunRequest("ann", "x" * 600_000),
        RunRequest("ann", "\ud800"),
        RunRequest("ann", "x", attachments=(Attachment("a", "y" * 300_000),)),
        RunRequest("ann", "x", config_overrides={"workspace": {"root": "/"}}),
        RunRequest("ann", "x", config_overrides={"models": {"offline": {"base_url": "http://elsewhere"}}}),
        RunRequest("ann", "x", config_overrides={"tools": {"unheard-of": 1}}),
    ],
)
async def test_bad_requests_are_refused_before_anything_is_said(
    database: Place, tmp_path: Path, request_: RunRequest
) -> None:
    async with agent(database, tmp_path, Script([["x"]])) as mine:
        with pytest.raises(RunRefusedError) as raised:
            await mine.runs.submit(request_)
        assert (raised.value.code, raised.value.status) == ("INVALID_REQUEST", 400)
        assert (await mine.parts.storage.sessions.page("ann"))[0] == 0


async def test_a_request_may_change_what_its_answer_is_made_of(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path) as mine:
        changes = {"models": {"offline": {"tool_call_mode": "function_call"}}, "prompt": "Be a pirate."}
        shown = one(await mine.told("echo: x", config_overrides=changes, debug_payload=True), "llm_request")
        assert shown["payload"]["messages"][0]["content"] == "Be a pirate."
        shown = one(await mine.told("echo: x", debug_payload=True), "llm_request")
        assert "<tool_call>" in shown["payload"]["messages"][0]["content"]


async def test_a_closed_agent_takes_nothing(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["x"]])) as mine:
        pass
    with pytest.raises(OverloadedError):
        await mine.runs.submit(RunRequest("ann", "late"))


async def test_text_that_no_database_keeps_is_replaced(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["a\0b"]])) as mine:
        assert one(await mine.told("x\0y"), "final")["answer"] == "a\ufffdb"
        assert [row["content"] for row in await mine.rows()] == ["x\ufffdy", "a\ufffdb"]


async def test_an_answer_may_not_be_awaited_after_an_error(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["x", asyncio.Event()]])) as mine:
        begun = await mine.ask("?")
        waiting = asyncio.create_task(mine.runs.outcome(begun))
        await until(lambda: mine.parts.bus.readers("s") > 0)
        await mine.runs.cancel("s")
        with pytest.raises(RunFailedError) as raised:
            await waiting
        assert (raised.value.code, raised.value.status) == ("CANCELLED", 400)


async def test_a_deleted_session_begins_anew(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["x"]])) as mine:
        await mine.told("one")
        await until(lambda: _is_idle(mine))
        await mine.parts.storage.sessions.delete("s", "ann")
        told = await mine.told("two")
        assert one(told, "final")["user_round"] == 1
        assert [row["content"] for row in await mine.rows()] == ["two", "x"]


async def _is_idle(mine: Agent) -> bool:
    return not await mine.parts.storage.tasks.active(["s"])
