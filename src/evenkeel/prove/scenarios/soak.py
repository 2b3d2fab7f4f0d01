"""S4: a soak. A mixed load for a long time at ten times the rate of a busy day, and nothing may grow.

Streams over HTTP in sessions that are new every time, WebSockets that come, watch and are cut, turns that are cancelled,
logins. Readings every two seconds: memory, threads, descriptors, entries of the bounded maps, queues. Whether something grows
is judged after the warm-up, by the slope of each with its interval.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.arrivals import Shape, after_a_peak, arrivals, release, waves
from evenkeel.prove.load.people import open_session, register
from evenkeel.prove.load.servers import Fleet
from evenkeel.prove.load.sockets import Socket
from evenkeel.prove.load.sse import HttpClient, Turn, client_session, question
from evenkeel.prove.measure.histograms import encoded, histogram, quantiles_ms
from evenkeel.prove.measure.values import Check, Figure, Observation
from evenkeel.prove.scenarios.scenario import ROOM, Post, Scenario, Stage, watched
from evenkeel.prove.scenarios.streams import TOOL, missing, overheads

WARM_UP_S = 900.0
"""At most a quarter of an hour: the server keeps what nobody uses for ten minutes, so until then its maps fill."""
PEAK, PEAK_PART = 1.3, 0.7
"""For so much of the warm-up, so many times as much arrives. A busier moment than any before takes memory that no allocator gives
back at once, and such moments go on coming, ever more seldom: so the busiest come first, and only what is kept grows later."""
MIX = (("turn", 0.7), ("socket", 0.2), ("cancel", 0.05), ("login", 0.05))
LEVELS = {  # series -> metric, of which the sum is read
    "maps": "evenkeel_bounded_entries_items",
    "rows_waiting": "evenkeel_writes_waiting_items",
    "tokens": "evenkeel_cancellation_tokens_items",
    "rings": "evenkeel_events_rings_items",
    "readers": "evenkeel_events_readers_items",
    "waiting": "evenkeel_limiter_sessions_items",
    "blocks": "evenkeel_process_allocated_blocks_items",
    "asyncio_tasks": "evenkeel_process_tasks_items",
}
GROWING = ("rss_mib", "blocks", "threads", "descriptors", "tokens", "rows_waiting", "asyncio_tasks")
"""What is judged by its slope, beside every bounded map. Rings and readers follow the load and are shown. `blocks`: what Python's
allocator has given out; memory alone cannot tell a leak from a peak that was higher than the ones before."""


def warm_up_s(lasted_s: float) -> float:
    """How much of a soak is not judged."""
    return min(WARM_UP_S, lasted_s / 3)


def shape_of(lasts_s: float) -> Shape:
    """Eight waves, those of the warm-up the highest."""
    return after_a_peak(waves(lasts_s / 8, 0.5), warm_up_s(lasts_s) * PEAK_PART, PEAK)


async def run(stage: Stage) -> Observation:
    """One run of one arm."""
    size = stage.size
    async with stage.servers() as servers, client_session() as session:
        client = HttpClient(session, servers.urls, stage.api_key, stage.clock)
        prefix = f"soak{stage.place.seed % 100_000}x{stage.place.order}"
        soak = Soak(stage, servers, client, await register(client, prefix), prefix)
        every = max(0.5, min(2.0, size["seconds"] / 100))
        async with watched(stage, servers, every_s=every) as post:
            reading = asyncio.create_task(soak.read(post, every))
            plan = arrivals(size["rate"] * PEAK, size["seconds"], stage.place.seed, shape_of(size["seconds"]))
            tasks = await release(plan, soak.leave, late=post.watch.arrived, clock=stage.clock)
            await asyncio.wait(tasks, timeout=size["drain_s"]) if tasks else None
            for task in tasks:
                task.cancel()
            reading.cancel()
            await asyncio.gather(*tasks, reading, return_exceptions=True)
        alive = len([server for server in servers.servers if server.pids]) if servers.ours else 1
        await servers.stop()
    totals = histogram(soak.overheads)
    values = {**quantiles_ms("overhead", totals), "turns_per_s": soak.ended / post.seconds}
    values |= {f"{name}_last": points[-1][1] for name, points in post.series.items() if points}
    counts = {
        "restarts": len(servers.servers) - alive,
        "failed_turns": sum(soak.failed.values()),
        "lost_words": soak.lost,
        "doubled_events": soak.doubled,
    }
    notes = [f"{count} failed: {what}" for what, count in sorted(soak.failed.items())]
    return post.observation(values, counts, {"overhead": encoded(totals)}, notes)


@dataclass
class Soak:
    """The mixed load. Keeps sums only: it must not grow itself."""

    stage: Stage
    servers: Fleet
    client: HttpClient
    token: str
    user: str
    ended: int = 0
    lost: int = 0
    doubled: int = 0
    failed: dict[str, int] = field(default_factory=dict)  # by kind
    overheads: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.stage.place.seed)  # noqa: S311 - a load, not secrets

    def leave(self, number: int, due: float) -> asyncio.Task[object]:
        """The next of the mix."""
        drawn, kind = self.chance.random(), MIX[0][0]
        for name, part in MIX:
            if drawn < part:
                kind = name
                break
            drawn -= part
        turn = Turn(f"{self.stage.place.order}-{number}", f"{self.user}-{number}", due)
        turn.follow.keep = True
        return asyncio.ensure_future(self._do(kind, turn, number))

    async def _do(self, kind: str, turn: Turn, number: int) -> None:
        try:
            if kind == "turn":
                await self._turn(turn, number)
            elif kind == "login":
                body: dict[str, object] = {"username": self.user, "password": f"{self.user}-Secret-1"}
                await self.client.post("/wunder/auth/login", body)
            else:
                await self._socket(turn, cancel=kind == "cancel")
        except (aiohttp.ClientError, TimeoutError, UnavailableError) as error:
            self._fail(f"{kind}: {type(error).__name__}")

    async def _turn(self, turn: Turn, number: int) -> None:
        text = question(turn.turn, tools=int(number % 3 == 0), tool=TOOL, tokens=20, ttft=200, gap=10)
        await self.client.turn(turn, f"{self.user}-{number % 5_000}", text)
        if turn.outcome != "final":
            self._fail(f"turn: {turn.outcome}")
            return
        self.ended += 1
        await self.stage.simulator.fetch()
        calls = self.stage.simulator.served.pop(turn.turn, [])
        if len(self.overheads) < 200_000:
            self.overheads.append(overheads(turn, calls, self.stage.clock())[0])
        self.lost += missing(turn, calls)
        self.doubled += turn.follow.doubled + sum(each.track.doubled for each in turn.follow.answers)

    async def _socket(self, turn: Turn, *, cancel: bool) -> None:
        """A turn that is cancelled before it began has no events: its start is answered by an error."""
        session = await open_session(self.client, self.token)
        codes: asyncio.Queue[str] = asyncio.Queue()  # "" = it ended well
        socket = Socket(self.client.url(), self.token, session, clock=self.stage.clock, refused=codes.put_nowait)
        socket.ended = lambda _, answer: codes.put_nowait(answer.code)
        await socket.connect()
        try:
            socket.start(question(turn.turn, tokens=20, ttft=200, gap=10), 1)
            if cancel:
                await asyncio.sleep(0.3)
                await self.client.post(f"/wunder/chat/sessions/{session}/cancel", {}, token=self.token)
            code = await asyncio.wait_for(codes.get(), 30)
            if code and not (cancel and code == "CANCELLED"):
                self._fail(f"{'cancel' if cancel else 'socket'}: {code}")
        finally:
            socket.drop() if self.chance.random() < 0.5 else socket.close()
            self.stage.simulator.served.pop(turn.turn, None)

    def _fail(self, kind: str) -> None:
        self.failed[kind] = self.failed.get(kind, 0) + 1

    async def read(self, post: Post, every_s: float) -> None:
        """Levels from `/metrics`."""
        whole = self.stage.size["seconds"]
        while True:
            await asyncio.sleep(every_s)
            self.stage.tell(f"{self.ended} turns", min(1.0, post.now / whole))
            with suppress(ValueError):
                metrics = await self.servers.metrics()
                for name, metric in LEVELS.items():
                    if metric in metrics.names:
                        post.sample(name, metrics.total(metric))
                for name, value in metrics.by("evenkeel_bounded_entries_items", "map").items():
                    post.sample(f"map {name}", value)
                for name, value in metrics.by("evenkeel_bounded_capacity_items", "map").items():
                    post.sample(f"cap {name}", value)


FIGURES = (
    Figure("overhead_p50_ms", "Overhead outside the model, P50", "ms"),
    Figure("overhead_p95_ms", "Overhead outside the model, P95", "ms"),
    Figure("overhead_p99_ms", "Overhead outside the model, P99", "ms"),
    Figure("rss_mib_last", "Memory at the end", "MiB"),
    Figure("maps_last", "Entries of the bounded maps at the end", "entries"),
)
CHECKS = (
    Check("restarts", "servers that ended by themselves"),
    Check("failed_turns", "requests that failed"),
    Check("lost_words", "words lost"),
    Check("doubled_events", "events or words twice"),
)
SCENARIO = Scenario(
    key="S4",
    title="Soak",
    load="streams, sockets, cancels and logins at ten times the rate, new sessions all the time",
    figures=FIGURES,
    checks=CHECKS,
    sizes={
        "quick": {"rate": 10, "seconds": 10, "drain_s": 5},
        "standard": {"rate": 30, "seconds": 300, "drain_s": 10},
        "full": {"rate": 30, "seconds": 2700, "drain_s": 15},
    },
    run=run,
    lag_s=0.2,
    settings=ROOM,
    pairs={"quick": (0, 1), "standard": (0, 1), "full": (0, 1)},
    slopes=True,
)
