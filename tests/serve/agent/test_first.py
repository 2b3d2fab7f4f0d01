"""The agent as it comes: the built-in model, a cancel, and a queue."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.serve.ports.failures import RunFailedError, RunRefusedError
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Queued, RunState
from tests.serve.agent.agents import Script, agent, heard, kinds, one, text_of, until
from tests.storages import Place


async def test_the_built_in_model_answers(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path) as one_agent:
        begun = await one_agent.runs.submit(RunRequest("ann", "echo: hello"))
        assert isinstance(begun, Begun)
        answer = await one_agent.runs.outcome(begun)
        assert (answer.answer, answer.stop_reason) == ("hello", "model_response")
        assert [row["role"] for row in await one_agent.rows(begun.session_id)] == ["user", "assistant"]


async def test_the_built_in_model_calls_tools(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path) as one_agent:
        await one_agent.told("write 'some text' to notes/a.md")
        told = await one_agent.told("list files")
        assert one(told, "tool_result")["data"]["entries"][1]["path"] == "notes/a.md"
        assert "notes/a.md" in one(told, "final")["answer"]


async def test_a_cancel_stops_the_run(place: Place, tmp_path: Path) -> None:
    script = Script([["so far", asyncio.Event()]])
    async with agent(place, tmp_path, script) as one_agent:
        begun = await one_agent.ask("Go on")
        await until(lambda: one_agent.parts.bus.readers("s") > 0 and script.at == 1)
        await asyncio.sleep(0.05)
        assert (await one_agent.runs.states(["s"]))["s"] is RunState.RUNNING
        assert await one_agent.runs.cancel("s")
        told = await heard(begun)
        assert told[-1].kind == "error"
        assert told[-1].data["code"] == "CANCELLED"
        assert text_of(told) == "so far"
        assert "final" not in kinds(told)
        await until(lambda: _idle(one_agent.runs))
        assert not await one_agent.runs.cancel("s")


async def test_a_cancel_before_the_run_began_is_told_as_a_cancel(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a service that is away: nobody is to ask again by himself."""
    opening = asyncio.Event()
    async with agent(place, tmp_path, Script([["never said"]])) as one_agent:

        async def subscribe(*_: object, **__: object) -> None:
            opening.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(type(one_agent.parts.bus), "subscribe", subscribe)
        asking = asyncio.create_task(one_agent.ask("Go on"))
        await opening.wait()
        assert await one_agent.runs.cancel("s")
        with pytest.raises(RunRefusedError) as raised:
            await asking
        assert raised.value.code == "CANCELLED"


class _Tripped:
    """The ear of a run that was cancelled between taking the session and its first step."""

    reason = CancelledBy.USER

    def on_cancel(self, call: Callable[[CancelledBy], None]) -> None:
        call(self.reason)


async def test_a_run_cancelled_before_its_first_step_leaves_nothing_begun(
    database: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([["never said"]])
    async with agent(database, tmp_path, script) as one_agent:
        monkeypatch.setattr(type(one_agent.parts.cancellation), "token", lambda *_: contextlib.nullcontext(_Tripped()))
        with pytest.raises(RunRefusedError) as raised:
            await one_agent.ask("Go on")
        assert raised.value.code == "CANCELLED"
        assert script.at == 0
    gc.collect()  # a coroutine that nobody awaited would be told of here, and fail this test


async def _idle(runs: object) -> bool:
    states = await runs.states(["s"])  # type: ignore[attr-defined]
    return states["s"] is RunState.IDLE


async def test_a_busy_session_queues_and_the_watcher_sees_all_of_it(place: Place, tmp_path: Path) -> None:
    """Lessons f, g, s: queue events stand in the session's own stream, and the queued run begins at once."""
    go = asyncio.Event()
    script = Script([["first", go], ["second"]])
    async with agent(place, tmp_path, script) as one_agent:
        watcher = await one_agent.parts.bus.subscribe(None, "s")
        first = await one_agent.ask("one")
        await until(lambda: script.at == 1)
        queued = await one_agent.runs.submit(RunRequest("ann", "two", session_id="s"))
        assert isinstance(queued, Queued)
        go.set()
        assert kinds(await heard(first))[-1] == "final"
        seen = await heard(Begun("s", 1, watcher), lambda told: told.kind == "queue_finish")
        found = [kind for kind in kinds(seen) if kind.startswith("queue") or kind in {"final", "progress(start)"}]
        assert found == [
            "progress(start)",
            "queue_enter",
            "final",
            "queue_start",
            "progress(start)",
            "final",
            "queue_finish",
        ]


async def test_an_error_of_the_model_is_the_runs_last_word(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([[ValueError("secret")]])) as one_agent:
        with pytest.raises(RunFailedError) as raised:
            await one_agent.runs.outcome(await one_agent.ask("hm"))
        assert raised.value.code == "INTERNAL_ERROR"
        assert "secret" not in str(raised.value)
