"""What came out: medians, ratios of contenders within a round, goals, and the pages that keep them."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from tools.parts.cases import GOALS, OURS, Case, Figures, Goal

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence"
PAGE, DATA = EVIDENCE / "parts.md", EVIDENCE / "parts.json"
OPEN, CLOSE = "<!-- Figures: written by `make bench-parts` from parts.json. -->", "<!-- End of figures. -->"
ROOMS = ("tasks", "writer", "fan-out", "limiter", "cancellation", "outbox", "logins", "census")
LIBRARIES = ("asyncpg", "apsw", "argon2-cffi", "pgqueuer", "procrastinate", "psycopg")
Room = dict[str, Any]
"""`taken`, `machine`, `rounds`, `load` before and after, and `figures`: a list of `Row`."""
Row = dict[str, Any]
"""`contest`, `database`, `contender`, `unit`, `median`, `lowest`, `highest`, and `times` that ours is better."""


def collected(rounds: list[dict[Case, Figures]], loads: tuple[float, float]) -> Room:
    """The record of one room. `rounds`: figures by case, round by round."""
    rows = [row for case in dict.fromkeys(case for found in rounds for case in found) for row in _rows(case, rounds)]
    return {
        "taken": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "rounds": len(rounds),
        "load": [round(load, 1) for load in loads],
        "figures": rows,
    }


def _rows(case: Case, rounds: list[dict[Case, Figures]]) -> Iterator[Row]:
    units = dict.fromkeys(unit for found in rounds for unit in found.get(case, {}))
    for unit in units:
        values = [found[case][unit] for found in rounds if unit in found.get(case, {})]
        ratios = list(_ratios(case, unit, rounds)) if case.contender != OURS else []
        yield {
            "contest": case.contest,
            "database": case.database,
            "contender": case.contender,
            "unit": unit,
            "median": _short(statistics.median(values)),
            "lowest": _short(min(values)),
            "highest": _short(max(values)),
            "times": _short(statistics.median(ratios)) if ratios else None,
        }


def _ratios(case: Case, unit: str, rounds: list[dict[Case, Figures]]) -> Iterator[float]:
    """How many times better ours was, in each round that both were in."""
    for found in rounds:
        ours = next((figures for other, figures in found.items() if _is_ours_of(other, case)), {})
        theirs = found.get(case, {})
        if ours.get(unit) and theirs.get(unit):
            ratio = ours[unit] / theirs[unit]
            yield ratio if unit.endswith("/s") else 1 / ratio


def _is_ours_of(other: Case, case: Case) -> bool:
    return (other.room, other.contest, other.database, other.contender) == (
        case.room, case.contest, case.database, OURS,
    )  # fmt: skip


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def shown(value: float) -> str:
    """Four digits, or whole thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def machine() -> str:
    """The hardware and the versions, without a name."""
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    versions = ", ".join(f"{name} {version}" for name in LIBRARIES if (version := _version(name)))
    return (
        f"{os.cpu_count()} CPUs{f' ({model})' if model else ''}, {memory / 2**20:.0f} GiB, {platform.system()} "
        f"{platform.machine()}, Python {sys.version.split()[0]}, {versions}"
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def verdicts(rooms: dict[str, Room]) -> Iterator[tuple[Goal, float, str]]:
    """Every goal with what was found: `aim`, `floor` or `missed`."""
    for goal in GOALS:
        found = _found(goal, rooms.get(goal.room, {}).get("figures", ()))
        if found is not None:
            yield goal, found, _verdict(goal, found)


def _found(goal: Goal, rows: Iterable[Row]) -> float | None:
    wanted = (goal.contest, goal.database, goal.against or OURS, goal.unit)
    for row in rows:
        if (row["contest"], row["database"], row["contender"], row["unit"]) == wanted:
            number: float | None = row["times"] if goal.against else row["median"]
            return number
    return None


def _verdict(goal: Goal, found: float) -> str:
    sign = 1 if goal.more_is_better else -1
    return "aim" if sign * found >= sign * goal.aim else "floor" if sign * found >= sign * goal.floor else "missed"


def load() -> dict[str, Room]:
    """What is kept so far, by room."""
    rooms: dict[str, Room] = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    return rooms


def keep(rooms: dict[str, Room]) -> None:
    """Lay rooms over what is kept, and write the figures of the page again; what people wrote around them stays."""
    kept = load() | rooms
    DATA.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(OPEN)
    PAGE.write_text(before + rendered(kept) + rest.partition(CLOSE)[2], encoding="utf-8")


def rendered(rooms: dict[str, Room]) -> str:
    """The part of the page between the marks: goals, then every figure by room."""
    lines = [OPEN, "", *_goals(rooms)]
    for name in ROOMS:
        if name in rooms:
            lines += _room(name, rooms[name])
    return "\n".join([*lines, CLOSE])


def _goals(rooms: dict[str, Room]) -> list[str]:
    lines = [
        "## Against the goals",
        "",
        "| room | contest | on | measured | floor | aim | |",
        "|---|---|---|---|---|---|---|",
    ]
    for goal, found, verdict in verdicts(rooms):
        what = f"{found:.3g} times {goal.against}" if goal.against else f"{shown(found)} {goal.unit}"
        bounds = f"{goal.floor:,g} | {goal.aim:,g}"
        lines.append(f"| {goal.room} | {goal.contest} | {goal.database} | {what} | {bounds} | {verdict} |")
    return [*lines, ""]


def _room(name: str, room: Room) -> list[str]:
    lines = [
        f"## {name.capitalize()}",
        "",
        f"{room['rounds']} rounds, {room['taken']}. {room['machine']}. Load before {room['load'][0]}, after {room['load'][1]}.",
        "",
        "| contest | on | contender | unit | median | lowest to highest | evenkeel is better by |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(room["figures"], key=lambda row: (row["contest"], row["database"], row["unit"])):
        times = f"{shown(row['times'])} times" if row["times"] is not None else ""
        spread = f"{shown(row['lowest'])} to {shown(row['highest'])}" if room["rounds"] > 1 else ""
        lines.append(
            f"| {row['contest']} | {row['database']} | {row['contender']} | {row['unit']} | {shown(row['median'])} | "
            f"{spread} | {times} |"
        )
    return [*lines, ""]
