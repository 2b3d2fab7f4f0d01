"""S1: hundreds of concurrent streams on `/wunder`, short answers mixed with tool calls.

Arrivals are an open loop: users come as planned, however slow the server is. What is measured is what the server adds: the
turn as the client saw it, from the moment it should have been sent, minus the time during which the simulated model was
working on it.

The model is slow on purpose: ten seconds a turn (2.8 s to the first word, 7 words a second). So 300 streams are 30 turns and
1,200 words a second, which two cores can serve beside the database and the clients; `--set turn_s=5` doubles the rate.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evenkeel.prove.load.arrivals import arrivals, release, steady
from evenkeel.prove.load.script import Pace
from evenkeel.prove.load.simulator import Call
from evenkeel.prove.load.sse import HttpClient, Turn, client_session, question
from evenkeel.prove.measure.histograms import encoded, histogram, quantiles_ms
from evenkeel.prove.measure.values import Better, Check, Figure, Observation
from evenkeel.prove.scenarios.scenario import ROOM, Post, Scenario, Stage, watched

TOOL_PART = 0.3  # of the turns call one tool before they answer
TOOL = "list_files"  # a server that does not know it says so, and its turn has two model calls all the same


async def run(stage: Stage) -> Observation:
    """One run of one arm."""
    size = stage.size
    rate = size["streams"] / size["turn_s"]
    async with stage.servers() as servers, client_session() as session:
        client = HttpClient(session, servers.urls, stage.api_key, stage.clock)
        load = Load(stage, client)
        async with watched(stage, servers) as post:
            late = post.watch.arrived
            plan = arrivals(rate, size["ramp_s"] + size["seconds"], stage.place.seed, steady(size["ramp_s"]))
            counting = asyncio.create_task(load.count(post))
            load.tasks = await release(plan, load.leave, late=late, clock=stage.clock)
            stage.tell("finishing", 0.9)
            await load.finish(size["drain_s"])
            counting.cancel()
        await servers.stop()
        work = await post.work()
    turns = [turn for turn in load.turns if turn.due - post.began >= size["ramp_s"]]
    served = stage.simulator.served
    totals, firsts, lost = [], [], 0
    for turn in turns:
        total, first = overheads(turn, served.get(turn.turn, []), stage.clock())
        totals.append(total)
        if first is not None:
            firsts.append(first)
        lost += missing(turn, served.get(turn.turn, []))
    words = max(1, sum(turn.words for turn in load.turns))
    values = {
        **quantiles_ms("overhead", total_h := histogram(totals)),
        **quantiles_ms("first_token", first_h := histogram(firsts)),
        **_costs(post, len(load.turns), words),
        "turns_per_s": sum(turn.outcome == "final" for turn in load.turns) / post.seconds,
    }
    if work:
        values["transactions_per_turn"] = work.transactions / max(1, len(load.turns))
        values["written_bytes_per_token"] = work.log_bytes / words
    counts = {
        "failed_turns": sum(failed(turn, stage.simulator.under_way) for turn in turns),
        "lost_words": lost,
        "doubled_events": sum(_sum(turn, "doubled") for turn in turns),
        "reordered_events": sum(_sum(turn, "reordered") for turn in turns),
    }
    again = sum(len(served.get(turn.turn, [])) > 2 for turn in load.turns)
    notes = [*load.notes(), *([f"{again} turns were worked on more than once"] if again else [])]
    histograms = {"overhead": encoded(total_h), "first_token": encoded(first_h)}
    return post.observation(values, counts, histograms, notes)


@dataclass
class Load:
    """Users that come, ask once, and read to the end. Sessions are used again once they are free."""

    stage: Stage
    client: HttpClient

    def __post_init__(self) -> None:
        self.turns: list[Turn] = []
        self.tasks: list[asyncio.Task[object]] = []
        self.open = 0
        self.free: list[int] = []
        self.users = 0
        self.chance = random.Random(self.stage.place.seed)  # noqa: S311 - a load, not secrets

    def words(self) -> dict[str, float]:
        """The pace at which the model is asked to answer: a turn takes `turn_s` on average."""
        pace, skew = Pace(), 1.07  # mean of the log-normal time to the first token, over its median
        once = pace.first_token_s * skew + pace.gap_s * pace.tokens
        turn_s = once + TOOL_PART * (pace.first_token_s * skew + pace.gap_s * pace.tool_tokens)
        slower = self.stage.size["turn_s"] / turn_s
        return {"ttft": round(pace.first_token_s * slower * 1e3), "gap": round(pace.gap_s * slower * 1e3, 1)}

    def leave(self, number: int, due: float) -> asyncio.Task[object]:
        """The next user asks."""
        if len(self.free) > 50 or (self.free and self.users > 4 * self.stage.size["streams"]):
            user = self.free.pop(0)  # the one that has been free longest
        else:
            user = self.users = self.users + 1
        turn = Turn(f"{self.stage.place.order}-{number}", f"prove-{user}", due)
        self.turns.append(turn)
        return asyncio.ensure_future(self._ask(turn, user, int(self.chance.random() < TOOL_PART)))

    async def _ask(self, turn: Turn, user: int, tools: int) -> None:
        self.open += 1
        try:
            await self.client.turn(
                turn, f"prove-user-{user}", question(turn.turn, tools=tools, tool=TOOL, **self.words())
            )
        finally:
            self.open -= 1
            self.free.append(user)

    async def count(self, post: Post) -> None:
        """Open streams and finished turns, for the chart; and the progress."""
        whole = self.stage.size["ramp_s"] + self.stage.size["seconds"]
        done = 0
        while True:
            await asyncio.sleep(0.5)
            finished = sum(bool(turn.ended) for turn in self.turns)
            post.sample("open_streams", self.open)
            post.sample("turns_per_s", (finished - done) / 0.5)
            done = finished
            self.stage.tell(f"{self.open} streams open", 0.9 * min(1.0, post.now / whole))

    async def finish(self, drain_s: float) -> None:
        """Wait for what is under way, so long; the rest is cut off and counts as unfinished."""
        if self.tasks:
            _, pending = await asyncio.wait(self.tasks, timeout=drain_s)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def notes(self) -> list[str]:
        """What went wrong, by kind."""
        kinds: dict[str, int] = {}
        for turn in self.turns:
            if turn.outcome != "final":
                kinds[turn.outcome or "unfinished"] = kinds.get(turn.outcome or "unfinished", 0) + 1
        return [f"{count} turns: {kind}" for kind, count in sorted(kinds.items())]


def overheads(turn: Turn, calls: Sequence[Call], now: float) -> tuple[float, float | None]:
    """Seconds that the server added to a turn, and to its first word (None when none came).

    A turn that never ended has waited until now, at least: to leave it out would flatter the slow."""
    ordered = sorted(calls, key=lambda call: call.received)
    served = sum(max(0.0, (call.last or call.ended) - call.received) for call in ordered)
    total = (turn.ended or now) - turn.due - served
    answer = next((call for call in ordered if call.words), None)
    if not turn.first or answer is None:
        return total, None
    before = sum(call.last - call.received for call in ordered if call.received < answer.received)
    return total, turn.first - turn.due - before - (answer.first - answer.received)


def failed(turn: Turn, under_way: Collection[str]) -> bool:
    """It did not end in an answer, and the model is not what it waits for: a long answer may outlast the run."""
    return turn.outcome != "final" and (bool(turn.outcome) or turn.turn not in under_way)


def missing(turn: Turn, calls: Sequence[Call]) -> int:
    """Words that the model sent in a turn that ended well, and the client did not get."""
    sent = max((call.words for call in calls if call.outcome == "done"), default=0)
    return max(0, sent - turn.words) if turn.outcome == "final" else 0


def _costs(post: Post, turns: int, words: int) -> dict[str, float]:
    calls = post.metrics.total("evenkeel_storage_call_seconds_count")
    found = {}
    if calls:
        found["storage_calls_per_turn"] = calls / max(1, turns)
    if post.fleet.ours:
        found["cpu_ms_per_turn"] = (post.census.cpu_s - post.census_before.cpu_s) * 1e3 / max(1, turns)
        written = post.census.written - post.census_before.written
        if written:
            found["written_bytes_per_token"] = written / words
    return found


def _sum(turn: Turn, name: str) -> int:
    return int(getattr(turn.follow, name)) + sum(int(getattr(each.track, name)) for each in turn.follow.answers)


FIGURES = (
    Figure("overhead_p50_ms", "Overhead outside the model, P50", "ms"),
    Figure("overhead_p95_ms", "Overhead outside the model, P95", "ms", floor=0.7, aim=0.3, limit=10.0),
    Figure("overhead_p99_ms", "Overhead outside the model, P99", "ms", limit=25.0),
    Figure("first_token_p50_ms", "First-token overhead, P50", "ms"),
    Figure("first_token_p95_ms", "First-token overhead, P95", "ms"),
    Figure("first_token_p99_ms", "First-token overhead, P99", "ms"),
    Figure("storage_calls_per_turn", "Storage calls per turn", "calls"),
    Figure("transactions_per_turn", "Database transactions per turn (PostgreSQL's own count)", "transactions"),
    Figure("written_bytes_per_token", "Bytes written per token", "bytes"),
    Figure("cpu_ms_per_turn", "Server CPU per turn", "ms"),
    Figure("turns_per_s", "Turns finished", "1/s", better=Better.HIGHER),
)
CHECKS = (
    Check("failed_turns", "turns that did not end in an answer"),
    Check("lost_words", "words lost", both_arms=True),
    Check("doubled_events", "events or words twice", both_arms=True),
    Check("reordered_events", "events or words out of order", both_arms=True),
)
SCENARIO = Scenario(
    key="S1",
    title="Concurrent streams on /wunder",
    load="300 concurrent streams in an open loop, short answers at a slow model's pace, three in ten with a tool call",
    figures=FIGURES,
    checks=CHECKS,
    sizes={
        "quick": {"streams": 10, "turn_s": 1.8, "ramp_s": 1, "seconds": 3, "drain_s": 10},
        "standard": {"streams": 300, "turn_s": 10, "ramp_s": 12, "seconds": 20, "drain_s": 30},
        "full": {"streams": 300, "turn_s": 10, "ramp_s": 20, "seconds": 60, "drain_s": 40},
    },
    run=run,
    settings=ROOM,
    pairs={"quick": (1, 1), "standard": (3, 6), "full": (5, 10)},
)
