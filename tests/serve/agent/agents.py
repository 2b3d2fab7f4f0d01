"""An agent on real parts, a model that follows a script, and ways to read what a session's watchers got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evenkeel.hotpath.bounded import build_bounded
from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.events import BusRules, build_bus, live_evidence
from evenkeel.hotpath.lean import build_lean
from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.outbox import DispatchRules, build_outbox
from evenkeel.hotpath.passwords import HashRules, build_passwords
from evenkeel.hotpath.ports.bus import Event, Live, Replayed, Settled
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import QueueRules, build_tasks
from evenkeel.hotpath.writes import WriterRules, build_event_writer
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from evenkeel.serve.agent import AgentSettings, build_agent, unbegun
from evenkeel.serve.agent.build import open_worker
from evenkeel.serve.agent.models.calls import Model, ModelCall, Piece, Reply, ToolCall
from evenkeel.serve.agent.models.catalogue import Models
from evenkeel.serve.agent.settings import ModelSettings, WorkspaceSettings
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Runs, Usage
from tests.storages import Place

RULES = QueueRules(
    max_workers=4, lease_s=2.0, poll_s=0.1, drain_s=3.0, backoff_base_s=0.05, upkeep_s=0.05, rollback_poll_s=0.03
)


@dataclass
class Script:
    """A model that says what it is told. Each entry of `says` answers one call: texts, tool calls, pauses (events to wait
    for), and errors to raise, in order. `calls` keeps what it was asked.
    """

    says: list[Sequence[object]] = field(default_factory=list)
    settings: ModelSettings = field(default_factory=lambda: ModelSettings(provider="offline", retries=0))
    calls: list[ModelCall] = field(default_factory=list)
    name: str = "script"
    at: int = 0

    def request(self, call: ModelCall) -> Mapping[str, Any]:
        return {"model": self.name, "messages": call.messages}

    async def stream(self, call: ModelCall, reply: Reply) -> AsyncIterator[Piece]:
        self.calls.append(ModelCall(list(call.messages), call.tools))
        said, self.at = self.says[min(self.at, len(self.says) - 1)], self.at + 1
        for each in said:
            if isinstance(each, asyncio.Event):
                await each.wait()
            elif isinstance(each, Exception):
                raise each
            elif isinstance(each, ToolCall):
                reply.tool_calls.append(each)
            elif isinstance(each, Piece):
                yield each
            else:
                yield Piece(str(each))
        reply.usage = Usage(7, 3, 10)


@dataclass(frozen=True)
class Agent:
    """One instance."""

    parts: Parts
    runs: Runs

    async def ask(self, question: str, session_id: str = "s", **more: Any) -> Begun:
        """A run that begins at once."""
        begun = await self.runs.submit(RunRequest("ann", question, session_id=session_id, **more))
        assert isinstance(begun, Begun), begun
        return begun

    async def told(self, question: str, session_id: str = "s", **more: Any) -> list[Told]:
        """Ask, and everything that is said until the end."""
        return await heard(await self.ask(question, session_id, **more))

    async def stored(self, session_id: str = "s") -> list[Told]:
        """What a replay shows."""
        page = await self.parts.storage.events.read(Cursor(session_id, 0), limit=5_000)
        found: list[Told] = []
        for event in page.events:
            payload = json.loads(event.payload)
            found += _told(event.event_id, payload["event"], payload["data"]["data"])
        return found

    async def rows(self, session_id: str = "s") -> list[dict[str, Any]]:
        """The chat history."""
        window = await self.parts.storage.chat.window(session_id, "ann")
        return [json.loads(message.payload) for message in window.messages]


@dataclass(frozen=True)
class Told:
    """An event as a client reads it."""

    event_id: int
    kind: str
    data: dict[str, Any]


def _told(event_id: int, kind: str, data: dict[str, Any]) -> list[Told]:
    """A row of joined deltas is read as its segments."""
    segments = data.get("segments")
    if segments is None:
        return [Told(event_id, kind, data)]
    return [Told(segment["event_id"], kind, segment) for segment in segments]


def told_of(event: Event) -> list[Told]:
    payload = json.loads(event.payload)
    return _told(event.event_id, event.kind, payload["data"]["data"])


async def heard(begun: Begun, enough: Callable[[Told], bool] | None = None, *, stay: bool = False) -> list[Told]:
    """Read a run's subscription to its terminal event, or until `enough`; closes it. `stay` = as a watcher, who stays
    while nothing is at work.
    """
    seen: list[Told] = []
    async for delivery in begun.subscription:
        if isinstance(delivery, Settled) and not stay:
            break
        if not isinstance(delivery, (Live, Replayed)):
            continue
        for event in delivery.events:
            seen += told_of(event)
            if enough(seen[-1]) if enough is not None else event.terminal:
                await begun.subscription.aclose()
                return seen
    await begun.subscription.aclose()
    return seen


def kinds(told: Sequence[Told]) -> list[str]:
    """Neighbouring deltas count once: how text is cut up is nobody's promise."""
    found: list[str] = []
    for each in told:
        name = f"{each.kind}({each.data['stage']})" if each.kind == "progress" else each.kind
        if not (name == "llm_output_delta" and found and found[-1] == name):
            found.append(name)
    return found


def text_of(told: Sequence[Told]) -> str:
    """All deltas put together."""
    return "".join(each.data.get("delta", "") for each in told if each.kind == "llm_output_delta")


def one(told: Sequence[Told], kind: str) -> dict[str, Any]:
    """The data of the one event of this kind."""
    (found,) = [each.data for each in told if each.kind == kind]
    return found


@asynccontextmanager
async def opened_parts(place: Place, meters: Meters | None = None, **changes: Any) -> AsyncIterator[Parts]:
    """Every part, opened as a server opens it."""
    switches, meters, clock = read_switches(place.profile), meters or Meters(), SystemClock()
    queue = replace(RULES, **changes.pop("queue", {}))
    limiter = replace(LimiterRules(max_active=50, lease_s=2.0), **changes.pop("limiter", {}))
    writing = replace(WriterRules(batch_s=0.005, posts_s=0.1), **changes.pop("writes", {}))
    bus = BusRules(sweep_s=0.2, poll_s=0.05, polling_s=0.02, settle_s=0.01, settle_max_s=0.05)
    async with place.open(meters, coalesce_s=0.005) as storage:
        active = live_evidence(storage.leases, storage.tasks)
        events, wakeups = storage.events, storage.wakeups
        async with (
            build_bounded(switches, meters) as maps,
            build_limiter(limiter, switches, meters, storage=storage) as limits,
            build_bus(bus, switches, meters, events=events, wakeups=wakeups, active=active) as opened_bus,
            build_event_writer(
                writing,
                switches,
                meters,
                events=events,
                bus=opened_bus,
                wakeups=wakeups,
            ) as writer,
            build_cancellation(
                CancelRules(check_s=0.1, poll_s=0.02, unbegun=unbegun), switches, meters, storage=storage, writer=writer
            ) as cancellation,
            build_outbox(DispatchRules(), switches, meters, storage) as outbox,
            build_passwords(HashRules(memory_kib=64, time_cost=1), switches, meters) as passwords,
        ):
            yield Parts(
                "test",
                switches,
                meters,
                clock,
                storage,
                limits,
                opened_bus,
                writer,
                cancellation,
                lambda: build_tasks(queue, switches, meters, storage),
                outbox,
                passwords,
                build_lean(switches, meters),
                maps,
            )


def settings_in(folder: Path, **changes: Any) -> AgentSettings:
    """The defaults, with the workspace in a directory of the test's own."""
    return AgentSettings(workspace=WorkspaceSettings(root=str(folder / "workspaces")), **changes)


@asynccontextmanager
async def agent(
    place: Place, folder: Path, script: Model | None = None, *, settings: AgentSettings | None = None, **changes: Any
) -> AsyncIterator[Agent]:
    """An open agent; with a script, its default model follows that."""
    chosen = settings or settings_in(folder)
    async with opened_parts(place, **changes) as parts:
        if script is None:
            async with build_agent(parts, chosen) as runs:
                yield Agent(parts, runs)
            return
        async with open_worker(parts, chosen, _scripted(script)) as runs:
            yield Agent(parts, runs)


def _scripted(model: Model) -> Callable[[Models], Models]:
    return lambda models: replace(models, models={**models.models, "offline": model})


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that sets no event for tests."""
    while True:
        met = condition()
        if (await met) if isinstance(met, Awaitable) else met:
            return
        await asyncio.sleep(0.01)
