"""S3: thousands of queued agent tasks on several instances, one of which is killed every few seconds.

Every session is first kept busy by a turn that waits at a gate in the simulated model; tasks for it then queue up behind.
The gate opens, and the queue drains while instances die by SIGKILL and come back.

Two ledgers, neither kept by the server's own counters: the model's, which sees every execution; and the sessions' history as
their user reads it over the API, where each task must have left exactly one question and one answer. Under a crash no system
can promise that nothing runs twice; what is promised is that it has its effect once, and that no more is run again than was
under way on what was killed.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import aiohttp

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.people import Said, messages, open_sessions, register
from evenkeel.prove.load.servers import Fleet
from evenkeel.prove.load.simulator import Call
from evenkeel.prove.load.sse import HttpClient, client_session, question
from evenkeel.prove.measure.values import Better, Check, Figure, Observation
from evenkeel.prove.scenarios.scenario import ROOM, Post, Scenario, Stage, watched

GATE = "open"
_TURN = re.compile(r"\bturn=([\w.:-]+)")
DOWN_S = 0.5  # between a kill and the new start


async def run(stage: Stage) -> Observation:
    """One run of one arm. SQLite is for one instance: that one is killed."""
    instances = int(stage.size["instances"]) if stage.databases.kind == "postgres" else 1
    gate = f"{GATE}-{stage.place.order}"
    async with stage.servers(instances) as servers, client_session() as session:
        client = HttpClient(session, servers.urls, stage.api_key, stage.clock, timeout_s=600.0)
        queue = Queue(stage, servers, client, gate)
        await queue.fill()
        async with watched(stage, servers) as post:
            await queue.drain(post)
        stage.tell("reading the ledgers", 0.95)
        ledger = await queue.ledger()
        await queue.leave()
        await servers.stop()
    return _observation(queue, post, ledger)


@dataclass
class Queue:
    """Sessions kept busy, tasks behind them, and what became of them."""

    stage: Stage
    servers: Fleet
    client: HttpClient
    gate: str
    lanes: list[tuple[str, str]] = field(default_factory=list)
    tasks: dict[str, str] = field(default_factory=dict)  # turn -> session
    refused: Counter[str] = field(default_factory=Counter)
    blockers: list[asyncio.Task[object]] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)  # clock times
    drained: bool = False
    began: float = 0.0
    filling_s: float = 0.0

    async def fill(self) -> None:
        """Block every lane, then queue the tasks."""
        size, order = self.stage.size, self.stage.place.order
        token = await register(self.client, f"prove{self.stage.place.seed % 100_000}q{order}")
        self.lanes = await open_sessions(self.client, [token], int(size["lanes"]))
        for number, (owner, session) in enumerate(self.lanes):
            text = question(f"{order}-b{number}", hold=self.gate, tokens=4, ttft=1, gap=0)
            self.blockers.append(asyncio.ensure_future(self._post(owner, session, text)))
        await self._until_blocked(len(self.lanes))
        began = self.stage.clock()
        limit = asyncio.Semaphore(32)
        await asyncio.gather(*(self._enqueue(number, limit) for number in range(int(size["tasks"]))))
        self.filling_s = self.stage.clock() - began

    async def _until_blocked(self, lanes: int) -> None:
        for _ in range(600):
            waiting = (await self.stage.simulator.fetch()).waiting
            self.stage.tell(f"{waiting} of {lanes} sessions kept busy", 0.05)
            if waiting >= lanes:
                return
            if all(task.done() for task in self.blockers):
                break
            await asyncio.sleep(0.1)
        answers = {str(task.result())[:200] for task in self.blockers if task.done()}
        raise UnavailableError(f"Only {waiting} of {lanes} sessions reached the model.", hint=f"Answers: {answers}")

    async def _post(self, token: str, session: str, text: str) -> tuple[int, bytes]:
        try:
            path = f"/wunder/chat/sessions/{session}/messages"
            return await self.client.post(path, {"content": text, "stream": False}, token=token)
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, type(error).__name__.encode()

    async def _enqueue(self, number: int, limit: asyncio.Semaphore) -> None:
        size = self.stage.size
        token, session = self.lanes[number % len(self.lanes)]
        turn = f"{self.stage.place.order}-t{number}"
        async with limit:
            text = question(turn, tokens=4, ttft=int(size["ttft_ms"]), gap=0)
            status, answer = await self._post(token, session, text)
            if status == 202:
                self.tasks[turn] = session
            else:
                self.refused[f"{status} {answer[:80].decode(errors='replace')}"] += 1
            if number % 50 == 0:
                self.stage.tell(f"{len(self.tasks)} tasks queued", 0.05 + 0.3 * number / size["tasks"])

    async def drain(self, post: Post) -> None:
        """Open the gate, kill, restart, until every task has been through the model, or the time is over."""
        size, model = self.stage.size, self.stage.simulator
        self.began = self.stage.clock()
        await model.release(self.gate)
        over = asyncio.Event()
        killing = asyncio.create_task(self._kill(post, over)) if size["kill_every_s"] and self.servers.ours else None
        done = 0
        try:
            while post.now < size["limit_s"]:
                await asyncio.sleep(0.25)
                await model.fetch()
                finished = sum(
                    any(call.outcome == "done" for call in model.served.get(turn, ())) for turn in self.tasks
                )
                post.sample("tasks_per_s", (finished - done) / 0.25)
                done = finished
                self.stage.tell(
                    f"{finished} of {len(self.tasks)} tasks done", 0.35 + 0.55 * finished / max(1, len(self.tasks))
                )
                if finished == len(self.tasks):
                    self.drained = True
                    break
        finally:
            over.set()
            if killing:
                await killing  # what it killed is up again afterwards

    async def _kill(self, post: Post, over: asyncio.Event) -> None:
        chance = random.Random(self.stage.place.seed)  # noqa: S311 - a load, not secrets
        pause = self.stage.size["kill_every_s"]
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause)
            if over.is_set():
                return
            victim = chance.choice(self.servers.servers)
            victim.kill()
            self.kills.append(self.stage.clock())
            post.mark(f"kill -9 of instance {self.servers.servers.index(victim) + 1}")
            await asyncio.sleep(DOWN_S)
            await self.servers.restart(victim)
            post.mark("back")
            if len(self.servers.servers) == 1:  # nobody worked meanwhile: leave it as long again, to get on at all
                pause = max(pause, 1.5 * (self.stage.clock() - self.kills[-1]))

    async def ledger(self) -> Ledger:
        """What the sessions hold, once what was under way has been stored."""
        for _ in range(int(self.stage.size["settle_s"] / 0.5)):
            found = await self._read()
            if not found.missing(self.tasks):
                await asyncio.sleep(1.0)  # a late double would come now
                return await self._read()
            await asyncio.sleep(0.5)
        return await self._read()

    async def _read(self) -> Ledger:
        gate = asyncio.Semaphore(16)

        async def one(token: str, session: str) -> list[Said]:
            async with gate:
                return await messages(self.client, token, session)

        return Ledger.of(await asyncio.gather(*(one(*lane) for lane in self.lanes)))

    async def leave(self) -> None:
        """End the requests that kept the sessions busy."""
        for task in self.blockers:
            task.cancel()
        await asyncio.gather(*self.blockers, return_exceptions=True)


@dataclass(frozen=True)
class Ledger:
    """Effects by turn, as the history shows them: questions, and answers to each."""

    questions: Counter[str]
    answers: Counter[str]

    @classmethod
    def of(cls, sessions: Sequence[Sequence[Said]]) -> Ledger:
        """From the messages of every session."""
        questions: Counter[str] = Counter()
        answers: Counter[str] = Counter()
        for said in sessions:
            turn = ""
            for message in said:
                if message.role == "user" and (found := _TURN.search(message.content)):
                    turn = found[1]
                    questions[turn] += 1
                elif message.role == "assistant" and message.content:
                    answers[turn] += 1
        return cls(questions, answers)

    def missing(self, turns: dict[str, str]) -> int:
        """Tasks without an answer."""
        return sum(not self.answers[turn] for turn in turns)

    def doubled(self, turns: dict[str, str]) -> int:
        """Tasks with more than one question or answer."""
        return sum(self.answers[turn] > 1 or self.questions[turn] > 1 for turn in turns)


def _observation(queue: Queue, post: Post, ledger: Ledger) -> Observation:
    served = queue.stage.simulator.served
    runs = {turn: sorted(served.get(turn, []), key=lambda call: call.received) for turn in queue.tasks}
    last = max((call.ended for calls in runs.values() for call in calls), default=queue.began)
    again = [calls for calls in runs.values() if len(calls) > 1]
    values = {
        "tasks_per_s": len(queue.tasks) / max(1e-9, last - queue.began),
        "longest_stall_s": longest_stall(runs, queue.began, last),
        "queued_per_s": len(queue.tasks) / max(1e-9, queue.filling_s),
        "run_again": float(len(again)),
    }
    resumed = [gap for calls in again for gap in _gaps(calls)]
    if resumed:
        values["resume_max_s"] = max(resumed)
    if not queue.kills:  # with kills, the census misses what the dead have used
        values["cpu_ms_per_task"] = (post.census.cpu_s - post.census_before.cpu_s) * 1e3 / max(1, len(queue.tasks))
    counts = {
        "doubled_effects": ledger.doubled(queue.tasks),
        "lost_effects": ledger.missing(queue.tasks),
        "refused": sum(queue.refused.values()),
        "run_again_without_kill": 0 if queue.kills else len(again),
    }
    notes = [f"{len(queue.kills)} kills, {len(again)} tasks run again"]
    if not queue.drained:
        notes.append(f"not drained within {queue.stage.size['limit_s']:.0f} s")
    notes += [f"{count} refused: {what}" for what, count in queue.refused.most_common(3)]
    return post.observation(values, counts, {}, notes)


def longest_stall(runs: dict[str, list[Call]], began: float, last: float) -> float:
    """The longest time in which no task ended, between the opening of the gate and the last end."""
    ends = sorted(call.ended for calls in runs.values() for call in calls if call.outcome == "done")
    points = [began, *ends, last]
    return max((other - one for one, other in pairwise(points)), default=0.0)


def _gaps(calls: Sequence[Call]) -> list[float]:
    """From when a server hung up on the model to when the task came to it again."""
    return [other.received - one.ended for one, other in pairwise(calls) if one.outcome == "gone"]


FIGURES = (
    Figure("tasks_per_s", "Tasks through the model", "1/s", better=Better.HIGHER),
    Figure("longest_stall_s", "Longest time without a finished task", "s"),
    Figure("resume_max_s", "From a kill to the task's new start, longest", "s", limit=15.0),
    Figure("queued_per_s", "Tasks queued over HTTP", "1/s", better=Better.HIGHER),
    Figure("cpu_ms_per_task", "Server CPU per task", "ms"),
    Figure("run_again", "Tasks run again", "tasks"),
)
CHECKS = (
    Check("doubled_effects", "tasks with more than one effect"),
    Check("lost_effects", "tasks without an effect"),
    Check("refused", "tasks that were not accepted"),
    Check("run_again_without_kill", "tasks run twice although nothing was killed"),
)
SCENARIO = Scenario(
    key="S3",
    title="Queued agent tasks, instances killed",
    load="10,000 tasks queued behind busy sessions, three instances, kill -9 of one every few seconds",
    figures=FIGURES,
    checks=CHECKS,
    sizes={
        "quick": {"tasks": 60, "lanes": 12, "instances": 3, "kill_every_s": 1, "ttft_ms": 250, "limit_s": 60, "settle_s": 40},
        "standard": {
            "tasks": 2000, "lanes": 40, "instances": 3, "kill_every_s": 5, "ttft_ms": 20, "limit_s": 240, "settle_s": 40,
        },
        "full": {
            "tasks": 10_000, "lanes": 100, "instances": 3, "kill_every_s": 5, "ttft_ms": 20, "limit_s": 900, "settle_s": 60,
        },
    },
    run=run,
    lag_s=0.2,
    settings=ROOM,
    pairs={"quick": (0, 1), "standard": (1, 5), "full": (1, 5)},
)  # fmt: skip
