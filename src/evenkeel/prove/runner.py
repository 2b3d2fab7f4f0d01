"""A session of runs: A/A first, to learn the noise, then A/B in random order; then the judgement and the evidence.

Each run starts its servers anew on a fresh database: nothing of one run reaches the next, and what differs from process to
process (memory layout, hash seeds) varies with the runs, as it should. Whatever stops the session, what was measured stays.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import msgspec

from evenkeel.kernel.errors import EvenkeelError, UsageError
from evenkeel.prove.evidence.record import FORMAT, Evidence, Judged, machine, versions
from evenkeel.prove.load.database import Databases, databases
from evenkeel.prove.load.model import Simulator, simulator
from evenkeel.prove.load.script import Pace
from evenkeel.prove.load.servers import OURS, Recipe, Server, environment, wait_ready
from evenkeel.prove.measure.values import AGAINST, OPTIMISED, ROLLBACK, Observation
from evenkeel.prove.scenarios import PARTS, SCENARIOS, scenario
from evenkeel.prove.scenarios.scenario import Place, Scenario, Size, Stage
from evenkeel.prove.scenarios.soak import GROWING, warm_up_s
from evenkeel.prove.verdict import Growth, filling, growth, judge, rule

FAILURES = (EvenkeelError, aiohttp.ClientError, OSError, TimeoutError)
MAX_FAILED = 3  # runs in a row that could not be done


@dataclass(frozen=True)
class Arm:
    """One side of the comparison."""

    name: str
    recipe: Recipe
    against: Server | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be proved, and how."""

    scenarios: Sequence[str] = tuple(each.key for each in SCENARIOS)
    database: str = "sqlite"
    dsn: str = ""
    size: str = "standard"
    seed: int = 1
    pairs: int | None = None  # of A/B; None: as the scenario says
    equals: int | None = None  # of A/A
    changes: Size = field(default_factory=dict)  # on top of the scenario's size
    command: Sequence[str] = OURS
    settings: tuple[tuple[str, str], ...] = ()
    switch: str = ""  # turn only this one back in the other arm
    against: str = ""
    against_key: str = ""
    model_port: int = 0
    alone: bool = False  # our arm only: bounds and growth, no ratios

    def arms(self) -> tuple[Arm, Arm]:
        """Ours first."""
        settings = dict(self.settings)
        ours = Arm(OPTIMISED, Recipe(OPTIMISED, self.command, settings))
        if self.against:
            server = Server(self.against.rstrip("/"), self.against_key)
            return ours, Arm(AGAINST, Recipe(AGAINST, self.command), server)
        if self.switch:
            turned = {**settings, f"EVENKEEL_SWITCHES__{self.switch.upper()}": ROLLBACK}
            return ours, Arm(f"{self.switch} on {ROLLBACK}", Recipe(OPTIMISED, self.command, turned))
        return ours, Arm(ROLLBACK, Recipe(ROLLBACK, self.command, settings))


@dataclass(frozen=True)
class Show:
    """What is told while it runs: (scenario, run of runs, what is done, part done), and lines that stay."""

    step: Callable[[str, int, int, str, float], None] = lambda *_: None
    line: Callable[[str], None] = lambda _: None


@dataclass
class Session:
    """The runs so far."""

    plan: Plan
    show: Show
    folder: Path
    runs: dict[str, list[Observation]] = field(default_factory=dict)
    switches: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    database: str = ""
    order: int = 0

    async def play(self, wanted: Scenario, stores: Databases, model: Simulator) -> None:
        """All runs of one scenario."""
        runs = self.runs.setdefault(wanted.key, [])
        todo = schedule(wanted, self.plan)
        failed = 0
        for number, (phase, pair, arm) in enumerate(todo):
            place = Place(arm.name, self.order, pair, phase, self.plan.seed * 1_000 + pair)
            self.order += 1
            stage = self._stage(wanted, place, arm, stores, model, (number, len(todo)))
            await asyncio.to_thread(stage.folder.mkdir, parents=True, exist_ok=True)
            try:
                runs.append(await wanted.run(stage))
                failed = 0
            except FAILURES as error:
                failed += 1
                self.notes.append(f"{wanted.key}, run {number + 1} ({arm.name}) could not be done: {error}")
                self.show.line(self.notes[-1])
                if failed == MAX_FAILED:
                    return
                continue
            self._told(wanted, runs[-1])

    def _stage(
        self, wanted: Scenario, place: Place, arm: Arm, stores: Databases, model: Simulator, at: tuple[int, int]
    ) -> Stage:
        folder = self.folder / f"{wanted.key}-{place.order}"
        size = {**wanted.sizes[self.plan.size], **self.plan.changes}

        def tell(what: str, part: float) -> None:
            self.show.step(wanted.key, at[0], at[1], f"{place.phase} {place.arm}: {what}", part)

        recipe = replace(arm.recipe, settings={**environment(wanted.settings), **arm.recipe.settings})
        return Stage(place, recipe, stores, model, folder, size, tell, wanted.lag_s, arm.against)

    def _told(self, wanted: Scenario, run: Observation) -> None:
        first = wanted.figures[1 if wanted.key == "S1" else 0]
        shown = f"{first.title} {run.values.get(first.key, float('nan')):.3g} {first.unit}"
        self.show.line(
            f"{wanted.key} {run.phase} pair {run.pair + 1}, {run.arm}: {shown}"
            + (f"; void: {run.void}" if run.void else "")
        )

    def judged(self) -> list[Judged]:
        """What follows from the runs so far."""
        ours, theirs = self.plan.arms()
        found = []
        for key, runs in self.runs.items():
            wanted = scenario(key, self.plan.database)
            checks = [rule(check, runs, ours.name) for check in wanted.checks]
            checks += [rule(check, runs, theirs.name) for check in wanted.checks if check.both_arms]
            found.append(
                Judged(
                    key, wanted.title, wanted.load, {**wanted.sizes[self.plan.size], **self.plan.changes},
                    [judge(each, runs, ours.name, theirs.name, seed=self.plan.seed) for each in wanted.figures],
                    checks, growths(runs) if wanted.slopes else [], runs,
                )
            )  # fmt: skip
        return found


def schedule(wanted: Scenario, plan: Plan) -> list[tuple[str, int, Arm]]:
    """(phase, pair, arm) in the order in which they are run: A/A, then A/B, each pair in random order."""
    ours, theirs = plan.arms()
    equals, pairs = wanted.pairs[plan.size]
    equals = equals if plan.equals is None else plan.equals
    pairs = pairs if plan.pairs is None else plan.pairs
    chance = random.Random(f"{plan.seed} {wanted.key}")  # noqa: S311 - an order, not a secret
    todo: list[tuple[str, int, Arm]] = []
    for phase, count, other, first in (
        ("A/A", equals, replace(ours, name=f"{ours.name}'"), 0),
        ("A/B", pairs, theirs, equals),
    ):
        for pair in range(first, first + count):
            both = [ours, other]
            chance.shuffle(both)
            todo += [(phase, pair, arm) for arm in both if arm is ours or not plan.alone]
    return todo


def growths(runs: Sequence[Observation]) -> list[Growth]:
    """Of what must not grow, by arm, after the warm-up."""
    found = []
    for run in runs:
        for name, points in run.series.items():
            if name in GROWING or name.startswith("map "):
                start = points[0][0] + warm_up_s(points[-1][0] - points[0][0])
                settled = [point for point in points if point[0] >= start]
                caps = run.series.get(f"cap {name.removeprefix('map ')}", [(0.0, 0.0)])
                found.append(filling(name, run.arm, points, caps[-1][1]) or growth(name, run.arm, settled))
    return found


async def prove(plan: Plan, show: Show, folder: Path, *, now: Callable[[], dt.datetime] | None = None) -> Evidence:
    """Run everything. After Ctrl-C the evidence of what was measured, marked as interrupted."""
    clock = now or (lambda: dt.datetime.now(dt.UTC))
    started, began, place = clock(), time.monotonic(), await asyncio.to_thread(machine, folder)
    session = Session(plan, show, folder)
    interrupted = False
    try:
        await _session(session)
    except asyncio.CancelledError:
        interrupted = True
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
    ours, theirs = plan.arms()
    return Evidence(
        format=FORMAT, started=started.isoformat(timespec="seconds"), seconds=round(time.monotonic() - began, 1),
        command=[Path(sys.argv[0]).name, *sys.argv[1:]], machine=place,
        versions=await asyncio.to_thread(versions), database=session.database,
        size=plan.size, seed=plan.seed, arms={arm.name: described(arm) for arm in (ours, theirs)},
        switches=session.switches, scenarios=session.judged(), interrupted=interrupted, notes=session.notes,
    )  # fmt: skip


async def _session(session: Session) -> None:
    plan = session.plan
    async with databases(plan.database, session.folder, plan.dsn) as stores:
        session.database = await stores.describe()
        async with simulator(Pace(), plan.seed, plan.model_port) as model:
            if plan.against:
                session.show.line(f"The other server must use {model.model_url} as its model.")
            for arm in plan.arms() if set(plan.scenarios) != {PARTS} else ():
                session.switches[arm.name] = await _health(arm, stores, model, session.folder)
            for key in plan.scenarios:
                await session.play(scenario(key, plan.database), stores, model)


async def _health(arm: Arm, stores: Databases, model: Simulator, folder: Path) -> dict[str, object]:
    """What /health shows of the switches; also the first proof that the server starts at all."""
    stage = Stage(
        Place(arm.name, 0, 0, "", 0), arm.recipe, stores, model, folder, {}, lambda *_: None, against=arm.against
    )
    async with stage.servers() as servers, aiohttp.ClientSession() as session:
        await wait_ready(servers.servers[0])
        with suppress(aiohttp.ClientError, msgspec.DecodeError, TimeoutError):
            headers = {"X-API-Key": stage.api_key}
            async with session.get(f"{servers.urls[0]}/health/ready", headers=headers) as answer:
                found = msgspec.json.decode(await answer.read())
                return found if isinstance(found, dict) else {}
    return {}


def described(arm: Arm) -> str:
    """How an arm is started, for the evidence: without paths of this machine and without secrets."""
    if arm.against:
        return "another server"
    extra = " ".join(f"{name}={value}" for name, value in sorted(arm.recipe.settings.items()))
    return f"evenkeel serve --profile {arm.recipe.profile} {extra}".strip()


def check_names(names: Sequence[str]) -> list[str]:
    """Scenario keys as given, in any case. UsageError for an unknown one."""
    known = [each.key for each in SCENARIOS]
    wanted = [PARTS if name.lower() == PARTS else name.upper() for name in names] or known
    for name in wanted:
        if name not in {*known, PARTS}:
            raise UsageError(f"There is no scenario {name}.", hint=f"Scenarios: {', '.join(known)}; or {PARTS}.")
    return wanted
