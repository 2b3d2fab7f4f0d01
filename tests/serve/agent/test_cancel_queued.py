"""A cancel in the moment in which a queued run begins: one end a run, and what was not begun does not begin."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask, TaskStatus
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.stream_events import TaskFence
from evenkeel.serve.agent import build_agent
from evenkeel.serve.agent.orders import Order, payload_of, queue_data, thread_of
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Queued, RunState
from tests.serve.agent.agents import Agent, Script, Told, agent, kinds, opened_parts, settings_in, until
from tests.storages import Place

SESSIONS = int(os.environ.get("EVENKEEL_TEST_CANCELS", "16"))
"""A place and case; hundreds by hand."""


class Sessions:
    """What the answers of a model wait for, by name."""

    def __init__(self) -> None:
        self.go: dict[str, asyncio.Event] = {}

    def of(self, name: str) -> asyncio.Event:
        return self.go.setdefault(name, asyncio.Event())


class Waiting(Script):
    """Answers a question that names an event only once that is set."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self.sessions = sessions

    async def stream(self, call, reply):  # type: ignore[no-untyped-def]
        question = str(call.messages[-1]["content"])
        if question.startswith("wait "):
            await self.sessions.of(question.removeprefix("wait ")).wait()
        async for piece in super().stream(call, reply):
            yield piece


def waiting() -> tuple[Waiting, Sessions]:
    sessions = Sessions()
    model = Waiting(sessions)
    model.says = [["some ", "text"]]
    return model, sessions


def said(told: list[Told], kind: str, **data: object) -> int:
    return sum(each.kind == kind and data.items() <= each.data.items() for each in told)


def check(told: list[Told]) -> None:
    """Of each run that began one end; of each that was announced one fate; a cancel is told once."""
    shown = [f"{each.event_id} {kind}" for each, kind in zip(told, kinds(told), strict=False)]
    begun = said(told, "progress", stage="start")
    ends = said(told, "final") + said(told, "error")
    cancelled = said(told, "error", code="CANCELLED")
    assert cancelled <= 1, shown
    assert ends in {begun, begun + cancelled}, shown
    assert said(told, "queue_enter") == said(told, "queue_finish") + said(told, "queue_fail") == 1, shown
    open_run = False
    for each in told:  # no run begins before the one before it has ended, and none is ended twice
        if each.kind == "progress" and each.data["stage"] == "start":
            assert not open_run, shown
            open_run = True
        elif each.kind in {"final", "error"}:
            assert open_run or each.data.get("code") == "CANCELLED", shown
            open_run = False
    assert not open_run, shown


async def told_in(mine: Agent, name: str) -> list[Told]:
    """Everything, once the session is at rest."""

    async def rests() -> bool:
        states = await mine.runs.states([name])
        fates = {"queue_finish", "queue_fail"}
        return states[name] is RunState.IDLE and any(each.kind in fates for each in await mine.stored(name))

    await until(rests)
    return await mine.stored(name)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("released", [True, False])
async def test_cancels_at_any_moment_around_the_start_of_a_queued_run(
    place: Place, tmp_path: Path, released: bool
) -> None:
    """`released` = the run in front ends by itself; else the cancel ends it, and its turn is free for the next."""
    chance = random.Random(7)
    model, sessions = waiting()
    async with agent(
        place, tmp_path, model, queue={"max_workers": 8, "lease_s": 20.0}, limiter={"lease_s": 20.0}
    ) as mine:

        async def one(name: str) -> list[Told]:
            await mine.ask(f"wait {name}", name)
            queued = await mine.runs.submit(RunRequest("ann", "next", session_id=name))
            assert isinstance(queued, Queued)
            if released:
                sessions.of(name).set()
            await asyncio.sleep(chance.random() * 0.06)
            await mine.runs.cancel(name)
            return await told_in(mine, name)

        async with asyncio.timeout(110):
            for batch in range(0, SESSIONS, 8):
                told = await asyncio.gather(*(one(f"s{number}") for number in range(batch, batch + 8)))
                for each in told:
                    check(each)
                    if not released:  # it was queued when the cancel came: it did not begin
                        assert said(each, "queue_start") == 0, each
                        assert said(each, "error", code="CANCELLED") == 1, each


async def queued_behind_one(mine: Agent) -> None:
    """A run is at work in the session, and another waits behind it."""
    await mine.ask("wait s", "s")
    assert isinstance(await mine.runs.submit(RunRequest("ann", "next", session_id="s")), Queued)


async def test_what_waits_behind_a_cancelled_run_is_told_of(place: Place, tmp_path: Path) -> None:
    model, _ = waiting()
    async with agent(place, tmp_path, model) as mine:
        await queued_behind_one(mine)
        assert await mine.runs.cancel("s")
        told = await told_in(mine, "s")
        check(told)
        (failed,) = [each.data for each in told if each.kind == "queue_fail"]
        (entered,) = [each.data for each in told if each.kind == "queue_enter"]
        assert failed == {**entered, "error": "cancelled"}
        assert (said(told, "error", code="CANCELLED"), said(told, "queue_start")) == (1, 0)
        assert not await mine.runs.cancel("s")
        begun = await mine.ask("free", "s")
        assert (await mine.runs.outcome(begun)).answer == "some text"


async def test_what_no_worker_has_taken_is_told_of(place: Place, tmp_path: Path) -> None:
    """All workers are busy elsewhere: nobody but who cancels can say it."""
    model, sessions = waiting()
    async with agent(place, tmp_path, model, queue={"max_workers": 1}) as mine:
        if place.profile == "rollback":
            pytest.skip("this path takes whatever it finds")
        await mine.ask("wait other", "other")
        await mine.runs.submit(RunRequest("ann", "wait busy", session_id="other"))
        await queued_behind_one(mine)
        sessions.of("other").set()  # the one worker has the queued run of the other session now
        await until(lambda: "busy" in sessions.go)
        sessions.of("s").set()

        async def ended() -> bool:
            return said(await mine.stored("s"), "final") == 1

        await until(ended)
        assert await mine.runs.cancel("s")
        told = await told_in(mine, "s")
        assert [each.kind for each in told][-2:] == ["error", "queue_fail"]
        check(told)
        sessions.of("busy").set()


@pytest.mark.parametrize("begun", [True, False])
async def test_a_cancel_whose_processes_died_is_told_by_who_takes_the_task_up(
    place: Place, tmp_path: Path, begun: bool
) -> None:
    """It came as far as the rows; then both who cancelled and who had the run were gone."""
    order = Order(RunRequest("ann", "next", session_id="s"), queued=True)
    async with opened_parts(place) as parts:
        tasks, writer = parts.storage.tasks, parts.writer
        await parts.storage.sessions.ensure(NewSession("s", "ann", "", ""))
        await writer.say("s", "ann", Draft("queue_enter", queue_data("t", order)))
        await tasks.enqueue([NewTask("t", payload_of(order), "ann", "s", thread_of("s"))])
        assert len(await tasks.claim("a worker that dies", 1, 0.3)) == 1
        if begun:
            run = await writer.begin("s", "ann", fence=TaskFence("t", 1))
            await run.emit(Draft("queue_start", queue_data("t", order)))
            await run.flush()
        await tasks.cancel_session("s")
        async with build_agent(parts, settings_in(tmp_path)) as runs:
            mine = Agent(parts, runs)
            told = [each.kind for each in await told_in(mine, "s")]
            assert told == ["queue_enter", *(["queue_start"] if begun else []), "error", "queue_fail"]
            (record,) = await tasks.of_session("s")
            assert record.status is TaskStatus.CANCELLED
