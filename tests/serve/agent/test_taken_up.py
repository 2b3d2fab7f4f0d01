"""What a process leaves that dies over a run, or closes, is taken up by another: no character doubled, none lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evenkeel.hotpath.ports.agent_tasks import NewTask, TaskStatus
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.stream_events import TaskFence
from evenkeel.serve.agent.history import CallRow, History, Meta, Row
from evenkeel.serve.agent.models.calls import ToolCall
from evenkeel.serve.agent.narration import Narrator
from evenkeel.serve.agent.orders import Order, payload_of
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Usage
from tests.serve.agent.agents import Script, Told, agent, heard, kinds, one, opened_parts, text_of, until
from tests.storages import Place

TASK = "task_left"


class Corpse:
    """What a process leaves: it holds a task and a session whose leases run out, and has written so far."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.history = History(parts.storage.chat, parts.clock, "s", "ann", TASK)

    async def lie_down(self) -> None:
        storage = self.parts.storage
        await storage.sessions.ensure(NewSession("s", "ann", ""))
        await storage.leases.acquire(LeaseRequest("s", f"{TASK}/1", "ann", ttl_s=60.0))
        order = Order(RunRequest("ann", "say it", session_id="s"))
        new = NewTask(TASK, payload_of(order), "ann", "s", "thread_s")
        assert await storage.tasks.take(new, "dead", 0.05) is not None
        self.run = await self.parts.writer.begin("s", "ann", fence=TaskFence(TASK, 1))

    async def ask(self) -> None:
        self.voice = Narrator(self.run, await self.parts.storage.sessions.next_round("s", "ann"))
        await self.history.add([("user", self.row("user", "say it"))])
        await self.voice.started("say it")

    async def say(self, *texts: str) -> None:
        self.voice.model_round += 1
        await self.voice.asking()
        for text in texts:
            await self.voice.delta(text, "")
        await self.run.flush()

    def row(self, role: str, content: str, **more: object) -> Row:
        return self.history.row(role, content, Meta(TASK, 1, int(role != "user")), **more)


async def taken_up(place: Place, folder: Path, script: Script, corpse: Corpse) -> list[Told]:
    """Another instance comes up; answers everything a watcher sees of the session from its beginning."""
    async with agent(place, folder, script) as mine:

        async def over() -> bool:
            records = await mine.parts.storage.tasks.of_session("s")
            return bool(records) and records[0].status in {TaskStatus.SUCCESS, TaskStatus.FAILED}

        await until(over)
        return await mine.stored()


async def test_a_stream_goes_on_where_it_was_stored(place: Place, tmp_path: Path) -> None:
    """Lesson r: a task left by a crash is picked up within seconds, also when its session's lease still stands."""
    async with opened_parts(place) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("Once upon", " a time")
        script = Script([["Once", " upon a ", "time there was"]])
        told = await taken_up(place, tmp_path, script, corpse)
    assert text_of(told) == "Once upon a time there was"
    assert one(told, "final")["answer"] == "Once upon a time there was"
    resumed = [each.data for each in told if each.data.get("stage") == "resume"]
    assert [(each["attempt"], each["kept_chars"], each["model_round"]) for each in resumed] == [(2, 16, 1)]
    assert [each.event_id for each in told] == sorted({each.event_id for each in told})
    assert one(told, "final")["model_round"] == 1


async def test_another_text_stands_in_a_round_of_its_own(database: Place, tmp_path: Path) -> None:
    async with opened_parts(database) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("Once upon")
        told = await taken_up(database, tmp_path, Script([["It was a dark night"]]), corpse)
    shown: dict[int, str] = {}
    for each in told:
        if each.kind == "llm_output_delta":
            shown[each.data["model_round"]] = shown.get(each.data["model_round"], "") + each.data["delta"]
    assert shown == {1: "Once upon", 2: "It was a dark night"}
    assert one(told, "final")["answer"] == "It was a dark night"


async def test_a_run_that_had_not_begun_begins(database: Place, tmp_path: Path) -> None:
    async with opened_parts(database) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        told = await taken_up(database, tmp_path, Script([["hello"]]), corpse)
    assert kinds(told)[0] == "progress(start)"
    assert one(told, "final")["user_round"] == 1


async def test_tools_without_results_are_called_again_without_asking_the_model(database: Place, tmp_path: Path) -> None:
    async with opened_parts(database) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("I look.")
        usage = Usage(7, 3, 10)
        calls = [ToolCall("c1", "list_files", {})]
        await corpse.voice.output("I look.", "", usage, calls, prefill_s=None, decode_s=None)
        called = corpse.row("assistant", "I look.", tool_calls=(CallRow("c1", "list_files", {}),))
        await corpse.history.add([("1.answer", called)])
        await corpse.run.flush()
        script = Script([["Nothing there."]])
        told = await taken_up(database, tmp_path, script, corpse)
        rows = [row.role for row in await corpse.history.window(50)]
    assert script.at == 1
    assert one(told, "tool_result")["ok"] is True
    assert one(told, "final")["model_round"] == 2
    assert one(told, "final")["round_usage"]["total_tokens"] == 20  # the round before was paid for, too
    assert rows == ["user", "assistant", "tool", "assistant"]  # keyed: nothing is doubled


async def test_an_answer_that_was_kept_is_told(database: Place, tmp_path: Path) -> None:
    async with opened_parts(database) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("All of it.")
        await corpse.history.add([("1.answer", corpse.row("assistant", "All of it."))])
        script = Script([["never asked"]])
        told = await taken_up(database, tmp_path, script, corpse)
    assert script.at == 0
    assert text_of(told) == one(told, "final")["answer"] == "All of it."


async def test_a_run_that_had_ended_is_only_settled(database: Place, tmp_path: Path) -> None:
    async with opened_parts(database) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("All of it.")
        await corpse.history.add([("1.answer", corpse.row("assistant", "All of it."))])
        await corpse.voice.final("All of it.", Usage(), Usage(), "model_response", {})
        told = await taken_up(database, tmp_path, Script([["never asked"]]), corpse)
    assert [each.kind for each in told].count("final") == 1
    assert not [each for each in told if each.data.get("stage") == "resume"]


async def test_whoever_was_given_up_writes_nothing_more(place: Place, tmp_path: Path) -> None:
    async with opened_parts(place) as parts:
        corpse = Corpse(parts)
        await corpse.lie_down()
        await corpse.ask()
        await corpse.say("Once")
        told = await taken_up(place, tmp_path, Script([["Once more"]]), corpse)
        for _ in range(3):
            try:
                await corpse.run.emit(Draft("llm_output_delta", {"delta": "ghost"}, text_bytes=5))
                await corpse.run.flush()
            except Exception as error:
                assert type(error).__name__ == "FencedError"  # noqa: PT017
                break
        else:
            raise AssertionError("the ghost could write")
    assert text_of(told) == "Once more"


async def test_a_closing_instance_hands_its_runs_to_the_next(place: Place, tmp_path: Path) -> None:
    """Deploys lose nothing: what runs is given back with its leases, and goes on elsewhere at once."""
    go = asyncio.Event()
    first, second = Script([["Half of ", go]]), Script([["Half of the ", "answer"]])
    watching: list[Told] = []
    async with agent(place, tmp_path, second) as other:
        watcher = await other.parts.bus.subscribe(None, "s")
        reading = asyncio.create_task(heard(Begun("s", 1, watcher), stay=True))
        async with agent(place, tmp_path, first, queue={"drain_s": 0.1}) as mine:
            begun = await mine.ask("?")
            await until(lambda: first.at == 1)
            await asyncio.sleep(0.05)
            await begun.subscription.aclose()
        watching = await reading
    assert text_of(watching) == "Half of the answer"
    assert [each.data["attempt"] for each in watching if each.data.get("stage") == "resume"] == [2]
    assert watching[-1].kind == "final"


async def test_a_run_is_given_time_to_finish(database: Place, tmp_path: Path) -> None:
    go = asyncio.Event()
    script = Script([["Half ", go, "and half"]])
    async with agent(database, tmp_path, script, queue={"drain_s": 5.0}) as mine:
        begun = await mine.ask("?")
        await until(lambda: script.at == 1)
        asyncio.get_running_loop().call_later(0.1, go.set)
        reading = asyncio.create_task(heard(begun))
    assert one(await reading, "final")["answer"] == "Half and half"
