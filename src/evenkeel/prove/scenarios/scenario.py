"""What a scenario is, the stage on which it runs, and what is watched around every run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from evenkeel.prove.load.database import Database, Databases, Work
from evenkeel.prove.load.model import Simulator
from evenkeel.prove.load.servers import Fleet, Recipe, Server, fleet, wait_ready
from evenkeel.prove.measure.processes import Census
from evenkeel.prove.measure.saturation import MAX_LAG_P99_S, LoopWatch, saturation, tolerated_s
from evenkeel.prove.measure.scrape import Reading
from evenkeel.prove.measure.values import Check, Figure, Mark, Observation

Size = Mapping[str, float]
SIZES = ("quick", "standard", "full")
# A load generator is one address with few accounts: limits that are meant for people must not be what is measured.
ROOM = {
    "limiter.max_active": "2000",
    "passwords.per_address": "1000000",
    "passwords.per_account": "1000000",
    "passwords.overall": "1000000",
    "auth.daily_quota": "0",  # few users do the work of many
}


@dataclass(frozen=True)
class Scenario:
    """One of S1 to S4. `sizes` by name; `run` does one run of one arm."""

    key: str
    title: str
    load: str
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...]
    sizes: Mapping[str, Size]
    run: Callable[[Stage], Awaitable[Observation]]
    pairs: Mapping[str, tuple[int, int]]  # by size: how many pairs of A/A and of A/B
    slopes: bool = False  # judged by growth over time as well
    settings: Mapping[str, str] = field(default_factory=dict)  # of the servers; `--setting` wins
    lag_s: float = MAX_LAG_P99_S  # how late the instrument itself may be


@dataclass(frozen=True)
class Place:
    """Which run this is."""

    arm: str
    order: int
    pair: int
    phase: str
    seed: int


@dataclass(frozen=True)
class Stage:
    """What a run is given."""

    place: Place
    recipe: Recipe
    databases: Databases
    simulator: Simulator
    folder: Path
    size: Size
    tell: Callable[[str, float], None]  # what is done now, and how much of the run is over (0 to 1)
    lag_s: float = MAX_LAG_P99_S
    against: Server | None = None  # somebody else's server: nothing is started
    clock: Callable[[], float] = time.monotonic

    @property
    def api_key(self) -> str:
        """Of the servers under test."""
        return self.against.api_key if self.against else Server("").api_key

    @asynccontextmanager
    async def servers(self, instances: int = 1) -> AsyncIterator[Fleet]:
        """Ready to be loaded, on a fresh database; stopped afterwards."""
        self.tell("starting", 0.0)
        if self.against is not None:
            await wait_ready(self.against)
            nowhere = Database("unknown", "")
            yield Fleet(self.recipe, nowhere, self.simulator.model_url, self.folder, [self.against])
            return
        async with (
            self.databases.fresh() as database,
            fleet(self.recipe, database, self.simulator.model_url, self.folder, instances) as made,
        ):
            yield made


@dataclass
class Post:
    """What is watched during a run: the instrument, the servers, the database."""

    stage: Stage
    fleet: Fleet
    watch: LoopWatch
    began: float
    metrics_before: Reading
    census_before: Census
    work_before: Work | None
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    metrics: Reading = field(default_factory=lambda: Reading({}))  # what was added, once the block has ended
    census: Census = field(default_factory=Census)
    ended: float = 0.0

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.stage.clock() - self.began

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended or self.stage.clock()) - self.began

    def mark(self, what: str) -> None:
        """Something happened."""
        self.marks.append(Mark(round(self.now, 3), what))

    def sample(self, name: str, value: float) -> None:
        """A reading for a chart."""
        self.series.setdefault(name, []).append((round(self.now, 3), value))

    async def work(self) -> Work | None:
        """What the database did. Read after the servers have stopped: until then their connections keep counts back."""
        if self.work_before is None:
            return None
        after = await self.fleet.database.work()
        return after and after.since(self.work_before)

    def observation(
        self,
        values: Mapping[str, float],
        counts: Mapping[str, int],
        histograms: Mapping[str, str],
        notes: Sequence[str] = (),
    ) -> Observation:
        """The run as it goes into the evidence."""
        place, model = self.stage.place, self.stage.simulator
        lag_s = tolerated_s(values, self.stage.lag_s)
        return Observation(
            arm=place.arm, order=place.order, pair=place.pair, phase=place.phase, seed=place.seed,
            seconds=round(self.seconds, 3), values=dict(values), counts=dict(counts), histograms=dict(histograms),
            series=self.series, marks=self.marks,
            saturation=saturation(self.watch, model.lags, model.cpu_share(), lag_s), notes=list(notes),
        )  # fmt: skip


@asynccontextmanager
async def watched(stage: Stage, servers: Fleet, *, every_s: float = 0.5) -> AsyncIterator[Post]:
    """A block of load, watched: memory, CPU, threads and descriptors of the servers are read every `every_s`."""
    await stage.simulator.begin()
    work = await servers.database.work() if servers.database.kind == "postgres" else None
    metrics, census = await servers.metrics(), await servers.census()
    watch = LoopWatch(clock=stage.clock)
    post = Post(stage, servers, watch, stage.clock(), metrics, census, work)
    async with watch:
        sampling = asyncio.create_task(_sample(post, every_s))
        try:
            yield post
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
    post.ended = stage.clock()
    post.census = await servers.census()
    post.metrics = (await servers.metrics()).since(metrics)
    await stage.simulator.fetch()


async def _sample(post: Post, every_s: float) -> None:
    if not post.fleet.ours:
        return
    before, at = post.census_before, post.now
    while True:
        await asyncio.sleep(every_s)
        census, now = await post.fleet.census(), post.now
        post.sample("rss_mib", census.rss / 2**20)
        post.sample("threads", census.threads)
        post.sample("descriptors", census.descriptors)
        post.sample("cpu_share", max(0.0, census.cpu_s - before.cpu_s) / max(1e-9, now - at))
        before, at = census, now
