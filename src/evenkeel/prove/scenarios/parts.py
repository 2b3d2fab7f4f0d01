"""`parts`: each part of the hot path alone, optimised against rollback, with the cases of `tools/parts`.

The cases live beside the sources, because some of them measure other libraries too; so this needs a checkout. It runs them in
this process, without servers, and judges the pairs as every other scenario.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evenkeel.kernel.errors import UsageError
from evenkeel.prove.load.database import Databases
from evenkeel.prove.measure.values import OPTIMISED, ROLLBACK, Better, Figure, Observation
from evenkeel.prove.scenarios.scenario import Scenario, Stage

KEY = "parts"
ROOMS = ("tasks", "streams", "outbox", "logins")
NO_DATABASE = "none"
PAIRS = {"quick": (0, 1), "standard": (1, 5), "full": (2, 8)}


def parts_scenario(database: str) -> Scenario:
    """All contests of this database that have both paths. UsageError outside of a checkout."""
    cases = _cases(database)
    figures = tuple(_figures(cases))

    async def run(stage: Stage) -> Observation:
        return await _run(stage, [case for case in cases if case.contender == _profile(stage.place.arm)])

    sizes: dict[str, dict[str, float]] = {name: {} for name in PAIRS}
    return Scenario(KEY, "Parts of the hot path", "each part alone, in one process", figures, (), sizes, run, PAIRS)


def _profile(arm: str) -> str:
    return OPTIMISED if arm.startswith(OPTIMISED) else ROLLBACK


def _cases(database: str) -> list[Any]:
    root = Path(__file__).parents[4]
    if not (root / "tools" / "parts" / "cases.py").is_file():
        raise UsageError(
            "`parts` is measured from a checkout of evenkeel.", hint="Clone it, and run `make prove ARGS=parts`."
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    modules = (importlib.import_module(f"tools.parts.{room}") for room in ROOMS)
    found = [case for module in modules for case in module.cases() if case.database in {database, NO_DATABASE}]
    both = {_name(case) for case in found if case.contender == ROLLBACK}
    return [case for case in found if _name(case) in both and case.contender in {OPTIMISED, ROLLBACK}]


def _name(case: Any) -> str:
    return f"{case.room}: {case.contest}"


def _figures(cases: Iterable[Any]) -> Iterable[Figure]:
    goals = importlib.import_module("tools.parts.cases").GOALS
    names = dict.fromkeys(_name(case) for case in cases)
    databases = {_name(case): case.database for case in cases}
    for name in names:
        room, _, contest = name.partition(": ")
        for unit in UNITS.get(room, ()):
            mine = [each for each in goals if (each.room, each.contest, each.unit) == (room, contest, unit)]
            mine = [each for each in mine if each.database == databases[name]]
            limit = next((each.floor for each in mine if not each.against), None)
            ratio = next((each.floor for each in mine if each.against == ROLLBACK), None)
            better = Better.HIGHER if unit.endswith("/s") else Better.LOWER
            yield Figure(f"{name}, {unit}", f"{name}", unit, better, floor=ratio, limit=limit)


UNITS = {  # what a room's cases answer; the rest they answer is shown nowhere
    "tasks": ("jobs/s", "p50 ms", "p99 ms"),
    "writer": ("events/s",),
    "fan-out": ("CPU s",),
    "limiter": ("admissions/s",),
    "cancellation": ("p50 ms", "p99 ms"),
    "outbox": ("messages/s", "healthy p99 ms"),
    "logins": ("p99 ms",),
}


async def _run(stage: Stage, cases: list[Any]) -> Observation:
    began, values = stage.clock(), {}
    for number, case in enumerate(cases):
        stage.tell(_name(case), number / len(cases))
        for unit, value in (await _measured(case, stage.databases)).items():
            values[f"{_name(case)}, {unit}"] = float(value)
    place = stage.place
    return Observation(
        arm=place.arm, order=place.order, pair=place.pair, phase=place.phase, seed=place.seed,
        seconds=round(stage.clock() - began, 3), values=values,
    )  # fmt: skip


async def _measured(case: Any, stores: Databases) -> dict[str, float]:
    if case.database == NO_DATABASE:
        return dict(await case.measure(""))
    async with stores.fresh() as database:
        dsn = database.dsn if database.kind == "postgres" else f"sqlite:///{database.dsn}"
        return dict(await case.measure(dsn))
