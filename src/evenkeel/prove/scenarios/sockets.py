"""S2: thousands of WebSocket connections, hundreds of active streams, reconnect storms.

Each active session has one connection that starts its turns and others that watch it; the rest watch sessions in which nothing
happens. Twice, a fifth of all connections is cut at once and comes back with its cursor. Every word that the model sent must
reach every connection that follows its session, once and in order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.people import open_sessions, register
from evenkeel.prove.load.servers import Fleet
from evenkeel.prove.load.sockets import Socket, connect_all
from evenkeel.prove.load.sse import HttpClient, client_session, question
from evenkeel.prove.measure.follow import Answer
from evenkeel.prove.measure.histograms import encoded, histogram, quantiles_ms
from evenkeel.prove.measure.values import Better, Check, Figure, Observation
from evenkeel.prove.scenarios.scenario import ROOM, Post, Scenario, Stage, watched

USERS = 20
STORM_PART = 0.2
WATCHERS = 2  # beside the connection that starts the turns
PAUSE_S = 0.1  # between the end of a turn and the next: a session is still busy for a moment


async def run(stage: Stage) -> Observation:
    """One run of one arm."""
    async with stage.servers() as servers, client_session() as session:
        client = HttpClient(session, servers.urls, stage.api_key, stage.clock)
        crowd = await gather(stage, servers, client)
        before = await servers.census()
        stage.tell("connecting", 0.05)
        try:
            await connect_all(crowd.sockets)
            for each in crowd.watching:
                each.watch()
            await asyncio.sleep(1.0)
            memory = (await servers.census()).rss - before.rss
            async with watched(stage, servers) as post:
                await crowd.play(post)
        finally:
            for each in crowd.sockets:
                each.close()
        await servers.stop()
        work = await post.work()
    return _observation(stage, crowd, post, memory, work.event_scans if work else None)


@dataclass
class Crowd:
    """All connections of a run: starters, their watchers, and the idle."""

    stage: Stage
    starters: list[Socket]
    watchers: list[Socket]
    idle: list[Socket]
    turns: dict[str, list[str]] = field(default_factory=dict)  # by session, in order
    stopping: bool = False
    playing: int = 0
    reconnected: list[float] = field(default_factory=list)
    refused: int = 0
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def sockets(self) -> list[Socket]:
        """Every one."""
        return [*self.starters, *self.watchers, *self.idle]

    @property
    def watching(self) -> list[Socket]:
        """Those that watch from the beginning."""
        return [*self.watchers, *self.idle]

    async def play(self, post: Post) -> None:
        """Turns without a pause in every active session, and two storms."""
        ramp, seconds = self.stage.size["ramp_s"], self.stage.size["seconds"]
        chance = random.Random(self.stage.place.seed)  # noqa: S311 - a load, not secrets
        for each in self.starters:
            each.ended = self._ended
            self._in(chance.random() * ramp, each)
        storms = [ramp + seconds / 3, ramp + 2 * seconds / 3]
        delivered = 0
        while post.now < ramp + seconds:
            await asyncio.sleep(0.25)
            total = sum(each.delivered for each in self.sockets)
            post.sample("events_per_s", (total - delivered) / 0.25)
            delivered = total
            self.stage.tell(f"{self.playing} turns under way", 0.1 + 0.8 * min(1.0, post.now / (ramp + seconds)))
            if storms and post.now >= storms[0]:
                storms.pop(0)
                await self._storm(post, chance)
        self.stopping = True
        await self._drain(self.stage.size["drain_s"])

    def _in(self, seconds: float, starter: Socket) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            self._start(starter)

        task = asyncio.create_task(later())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _start(self, starter: Socket) -> None:
        if self.stopping:
            return
        turns = self.turns.setdefault(starter.session, [])
        turn = f"{self.stage.place.order}-{starter.session[-12:]}-{len(turns)}"
        turns.append(turn)
        self.playing += 1
        size = self.stage.size
        starter.start(
            question(turn, tokens=int(size["tokens"]), gap=round(1e3 / size["words_per_s"], 3), ttft=300), len(turns)
        )

    def _ended(self, starter: Socket, answer: Answer) -> None:
        turns = self.turns.get(starter.session, [])
        if turns and answer.turn in {turns[-1], ""}:
            self.playing -= 1
            if answer.resumed:
                starter.stop_resuming()
            self._in(PAUSE_S, starter)

    async def _storm(self, post: Post, chance: random.Random) -> None:
        cut = [each for each in self.sockets if chance.random() < STORM_PART and self._may_be_cut(each)]
        post.mark(f"{len(cut)} connections cut")
        for each in cut:
            each.drop()
        gate = asyncio.Semaphore(200)
        await asyncio.gather(*(self._return(each, gate) for each in cut))
        post.mark("all back")

    def _may_be_cut(self, each: Socket) -> bool:
        # A turn that was asked for and of which nothing has come yet has no cursor from which to resume it; the request
        # itself may be lost with the connection.
        asked = len(self.turns.get(each.session, ())) > len(each.follow.answers)
        return each.ended is None or not asked or each.follow.now is not None

    async def _return(self, each: Socket, gate: asyncio.Semaphore) -> None:
        began = self.stage.clock()
        async with gate:
            try:
                await each.connect()
            except UnavailableError:
                self.refused += 1
                return
        self.reconnected.append(self.stage.clock() - began)
        if each.ended is None:
            each.resume()
        elif each.follow.now is not None:
            each.resume_turn()
        # a starter between two turns has nothing to catch up with

    async def _drain(self, seconds: float) -> None:
        """Until every connection has seen the end of every turn, or so long."""
        end = self.stage.clock() + seconds
        while self.stage.clock() < end:
            if not self._later and all(
                len(each.follow.answers) >= len(self.turns.get(each.session, ())) for each in self.live
            ):
                return
            await asyncio.sleep(0.1)

    @property
    def live(self) -> Iterable[Socket]:
        """Those that follow an active session."""
        return [*self.starters, *self.watchers]


async def gather(stage: Stage, servers: Fleet, client: HttpClient) -> Crowd:
    """Users, sessions, and connections that are not open yet."""
    size = stage.size
    stage.tell("users and sessions", 0.02)
    prefix = f"prove{stage.place.seed % 100_000}x{stage.place.order}"
    tokens = [await register(client, f"{prefix}u{number}") for number in range(min(USERS, int(size["streams"])))]
    active = await open_sessions(client, tokens, int(size["streams"]))
    quiet = await open_sessions(client, tokens, max(1, int(size["streams"]) // 10))
    urls = servers.urls

    def socket(number: int, place: tuple[str, str]) -> Socket:
        return Socket(urls[number % len(urls)], place[0], place[1], clock=stage.clock)

    starters = [socket(number, place) for number, place in enumerate(active)]
    watchers = [socket(number, place) for number, place in enumerate(active * WATCHERS)]
    rest = max(0, int(size["connections"]) - len(starters) - len(watchers))
    idle = [socket(number, quiet[number % len(quiet)]) for number in range(rest)]
    return Crowd(stage, starters, watchers, idle)


def _observation(stage: Stage, crowd: Crowd, post: Post, memory: int, scans: int | None) -> Observation:
    served = stage.simulator.served
    lost, unseen, late = 0, 0, []
    for each in crowd.live:
        by_turn = {answer.turn: answer for answer in each.follow.answers}
        for turn in crowd.turns.get(each.session, ()):
            sent = max((call.words for call in served.get(turn, []) if call.outcome == "done"), default=0)
            answer = by_turn.get(turn)
            if answer is None:
                unseen += 1
                lost += sent
                continue
            lost += max(0, answer.track.missing(sent))
            if not answer.resumed:
                late.extend(answer.track.delays)
    delays = histogram(late)
    reads = post.metrics.by("evenkeel_events_reads_total", "purpose")
    connections = len(crowd.sockets)
    values = {
        **quantiles_ms("delivery", delays),
        "events_per_s": sum(each.delivered for each in crowd.sockets) / post.seconds,
        "connections": float(connections),
    }
    if reads or "evenkeel_events_published_total" in post.metrics.names:
        values["polling_reads_per_s"] = sum(reads.get(name, 0.0) for name in POLLING) / post.seconds
        values |= {f"reads_{name}_per_s": count / post.seconds for name, count in reads.items()}
        values["backfill_reads_per_s"] = reads.get("backfill", 0.0) / post.seconds
    if scans is not None:
        values["event_scans_per_s"] = scans / post.seconds
    if post.fleet.ours:
        values["memory_mib"] = memory / 2**20
        values["kib_per_connection"] = memory / 1024 / connections
        values["cpu_share"] = (post.census.cpu_s - post.census_before.cpu_s) / post.seconds
    if crowd.reconnected:
        values |= quantiles_ms("reconnect", histogram(crowd.reconnected))
    return post.observation(values, _counts(crowd, lost, unseen), {"delivery": encoded(delays)}, _notes(crowd))


def _counts(crowd: Crowd, lost: int, unseen: int) -> dict[str, int]:
    answers = [answer for each in crowd.live for answer in each.follow.answers]
    return {
        "lost_words": lost,
        "unseen_ends": unseen,
        "doubled_events": sum(each.follow.doubled for each in crowd.sockets)
        + sum(answer.track.doubled for answer in answers),
        "reordered_events": sum(each.follow.reordered for each in crowd.sockets)
        + sum(answer.track.reordered for answer in answers),
        "failed_turns": sum(answer.end != "final" for answer in answers),
        "cut_by_server": sum(each.cuts for each in crowd.sockets) + crowd.refused,
        "told_slow": sum(each.follow.told_slow for each in crowd.sockets),
    }


def _notes(crowd: Crowd) -> list[str]:
    codes: dict[str, int] = {}
    for each in crowd.sockets:
        for code in (*each.errors, *(answer.code for answer in each.follow.answers if answer.code)):
            codes[code] = codes.get(code, 0) + 1
    turns = sum(len(each) for each in crowd.turns.values())
    return [f"{turns} turns", *(f"{count} errors {code}" for code, count in sorted(codes.items()))]


POLLING = ("poll", "relay", "activity")
FIGURES = (
    Figure("polling_reads_per_s", "Reads of stored events to find news", "1/s", floor=0.4, aim=0.001),
    Figure("event_scans_per_s", "Scans of the event tables (PostgreSQL's own count)", "1/s", floor=0.4),
    Figure("backfill_reads_per_s", "Reads for connections that came back", "1/s"),
    Figure("delivery_p50_ms", "Model to client, P50", "ms"),
    Figure("delivery_p95_ms", "Model to client, P95", "ms"),
    Figure("delivery_p99_ms", "Model to client, P99", "ms", limit=50.0),
    Figure("events_per_s", "Events delivered", "1/s", better=Better.HIGHER),
    Figure("memory_mib", "Server memory for all connections", "MiB", limit=80.0),
    Figure("kib_per_connection", "Memory per connection", "KiB"),
    Figure("cpu_share", "Server CPU", "cores"),
    Figure("reconnect_p99_ms", "Back after a storm, P99", "ms"),
)
CHECKS = (
    Check("lost_words", "words lost", both_arms=True),
    Check("unseen_ends", "ends of turns never seen", both_arms=True),
    Check("doubled_events", "events or words twice", both_arms=True),
    Check("reordered_events", "events or words out of order", both_arms=True),
    Check("failed_turns", "turns that did not end in an answer"),
    Check("cut_by_server", "connections that the server cut or refused"),
    Check("told_slow", "times a client was told that it is slow"),
)
SCENARIO = Scenario(
    key="S2",
    title="WebSocket connections with reconnect storms",
    load="3,000 connections, 500 active streams, each with two watchers, two storms that cut a fifth",
    figures=FIGURES,
    checks=CHECKS,
    sizes={
        "quick": {
            "connections": 60,
            "streams": 10,
            "tokens": 15,
            "words_per_s": 15,
            "ramp_s": 1,
            "seconds": 4,
            "drain_s": 8,
        },
        "standard": {
            "connections": 3000,
            "streams": 500,
            "tokens": 40,
            "words_per_s": 6.7,
            "ramp_s": 10,
            "seconds": 20,
            "drain_s": 15,
        },
        "full": {
            "connections": 3000,
            "streams": 500,
            "tokens": 40,
            "words_per_s": 6.7,
            "ramp_s": 15,
            "seconds": 60,
            "drain_s": 20,
        },
    },
    run=run,
    settings=ROOM,
    pairs={"quick": (1, 1), "standard": (2, 5), "full": (3, 8)},
)
