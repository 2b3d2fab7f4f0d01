"""Better, same, worse or unknown: what a comparison allows one to say. Pure.

"Same" is a finding of its own: the whole interval lies within the margin. What is neither clearly different nor clearly the
same is unknown, and so is everything from fewer than `MIN_PAIRS` pairs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from evenkeel.prove.compare import RESAMPLES, Pair, detectable, mean, ratio, slope
from evenkeel.prove.measure.values import Better, Check, Figure, Interval, Observation

MIN_PAIRS = 5


class Verdict(StrEnum):
    """What can be said of the arm under test."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "unknown"


class Promise(StrEnum):
    """What became of a bound."""

    KEPT = "kept"
    BROKEN = "broken"
    OPEN = "open"  # the interval holds the bound
    NONE = "none"


class Finding(msgspec.Struct, frozen=True):
    """The judgement of one figure. `ratio` is ours to the other's; `margin` what had to be exceeded."""

    figure: Figure
    verdict: Verdict
    ratio: Interval | None
    ours: Interval | None
    theirs: Interval | None
    margin: float
    noise: float | None  # typical |log ratio| of A/A
    detectable: float | None
    floor: Promise = Promise.NONE
    aim: Promise = Promise.NONE
    limit: Promise = Promise.NONE
    why: str = ""


class Ruling(msgspec.Struct, frozen=True):
    """The judgement of one check: the most that was counted in a run, over how many runs."""

    check: Check
    arm: str
    worst: int
    runs: int

    @property
    def holds(self) -> bool:
        """Within what is allowed, and looked at."""
        return self.runs > 0 and self.worst <= self.check.allowed


def judge(
    figure: Figure, runs: Sequence[Observation], ours: str, theirs: str, *, seed: int = 0, resamples: int = RESAMPLES
) -> Finding:
    """All runs of a scenario, void ones left out, into a finding on one figure."""
    usable = [run for run in runs if not run.void and figure.key in run.values]
    equals = _logs(_pairs(figure.key, [run for run in usable if run.phase == "A/A"], ours, f"{ours}'"))
    ab = [run for run in usable if run.phase == "A/B"]
    pairs = _pairs(figure.key, ab, ours, theirs)
    noise = statistics.median([abs(each) for each in equals]) if equals else None
    margin = max(figure.margin, math.expm1(noise) if noise is not None else 0.0)
    found = ratio(pairs, seed=seed, resamples=resamples) if pairs else None
    mine = mean([run.values[figure.key] for run in ab if run.arm == ours], seed=seed, resamples=resamples)
    other = mean([run.values[figure.key] for run in ab if run.arm == theirs], seed=seed, resamples=resamples)
    verdict, why = decide(found, figure.better, figure.margin, margin)
    return Finding(
        figure=figure,
        verdict=verdict,
        ratio=found,
        ours=mine,
        theirs=other,
        margin=margin,
        noise=noise,
        detectable=detectable(equals, len(pairs)),
        floor=_kept(found, figure.floor, figure.better),
        aim=_kept(found, figure.aim, figure.better),
        limit=_kept(mine, figure.limit, figure.better),
        why=why,
    )


def decide(found: Interval | None, better: Better, alike: float, margin: float) -> tuple[Verdict, str]:
    """The verdict on a ratio, and why it is unknown when it is. `alike`: within which nobody cares; `margin`: what a
    difference must exceed, which noise may have raised."""
    if found is None:
        return Verdict.UNKNOWN, "not measured on both arms"
    if found.count < MIN_PAIRS:
        return Verdict.UNKNOWN, f"{found.count} pairs; a verdict needs {MIN_PAIRS}"
    if 1 / (1 + alike) <= found.low and found.high <= 1 + alike:
        return Verdict.SAME, ""
    low, high = 1 / (1 + margin), 1 + margin
    if found.high < low:
        return (Verdict.BETTER if better is Better.LOWER else Verdict.WORSE), ""
    if found.low > high:
        return (Verdict.WORSE if better is Better.LOWER else Verdict.BETTER), ""
    return Verdict.UNKNOWN, "the interval holds both a difference and none; more pairs would tell"


def rule(check: Check, runs: Sequence[Observation], arm: str) -> Ruling:
    """All runs of one arm, void ones too: a lost event is lost however busy the instrument was."""
    counted = [run.counts[check.key] for run in runs if run.arm.rstrip("'") == arm and check.key in run.counts]
    return Ruling(check, arm, max(counted, default=0), len(counted))


def _pairs(key: str, runs: Sequence[Observation], ours: str, theirs: str) -> list[Pair]:
    values = {(run.pair, run.arm): run.values[key] for run in runs}
    numbers = sorted({number for number, _ in values})
    return [
        (values[number, ours], values[number, theirs])
        for number in numbers
        if (number, ours) in values and (number, theirs) in values
    ]


def _logs(pairs: Sequence[Pair]) -> list[float]:
    return [math.log(one / other) for one, other in pairs if one > 0 and other > 0]


def _kept(found: Interval | None, bound: float | None, better: Better) -> Promise:
    if bound is None:
        return Promise.NONE
    if found is None or found.count < MIN_PAIRS:
        return Promise.OPEN
    low, high = (found.low, found.high) if better is Better.LOWER else (-found.high, -found.low)
    limit = bound if better is Better.LOWER else -bound
    if high <= limit:
        return Promise.KEPT
    return Promise.BROKEN if low > limit else Promise.OPEN


class Growth(msgspec.Struct, frozen=True):
    """Whether a resource grew during a soak. `per_hour` in the unit of the resource; `level` its mean."""

    name: str
    arm: str
    verdict: str  # flat, grows, unknown; bounded: a map below its capacity
    per_hour: Interval | None
    level: float
    why: str = ""


def filling(name: str, arm: str, points: Sequence[tuple[float, float]], capacity: float) -> Growth | None:
    """A map that has a capacity and keeps to it is bounded, however fast it fills; None when it does not keep to it."""
    most = max((value for _, value in points), default=0.0)
    if not capacity > 0 or most > capacity:
        return None
    level = statistics.fmean([value for _, value in points]) if points else 0.0
    return Growth(name, arm, "bounded", None, level, f"at most {most:.0f} of {capacity:.0f}")


MIN_READINGS = 40
MIN_WINDOW_S = 120.0
MATERIAL = {"rss_mib": 1.0, "blocks": 10_000.0}
"""Growth over the window below which nobody would act; 2 of anything else that is counted. A block has 16 to 512 bytes."""
BLATANT = 0.25  # of the level, over the window: needs no long look


def growth(name: str, arm: str, points: Sequence[tuple[float, float]]) -> Growth:
    """Readings (seconds, value) after the warm-up into a judgement.

    "Flat" needs an interval that holds 0 and is narrow enough to mean something; a straight line through noise always holds
    0."""
    level = statistics.fmean([value for _, value in points]) if points else 0.0
    found = slope(points)
    if found is None:
        return Growth(name, arm, "unknown", None, level, f"{len(points)} readings")
    hourly = Interval(found.estimate * 3600, found.low * 3600, found.high * 3600, found.count, found.confidence)
    window = points[-1][0] - points[0][0]
    grown, most = found.estimate * window, found.high * window
    material = MATERIAL.get(name, 2.0)
    if found.low > 0 and grown > max(material, BLATANT * level):
        return Growth(name, arm, "grows", hourly, level)
    if len(points) < MIN_READINGS or window < MIN_WINDOW_S:
        return Growth(name, arm, "unknown", hourly, level, f"{len(points)} readings over {window:.0f} s are too few")
    if found.low > 0 and grown > material:
        return Growth(name, arm, "grows", hourly, level)
    if most <= max(material, 0.1 * level):
        return Growth(name, arm, "flat", hourly, level)
    return Growth(name, arm, "unknown", hourly, level, "the interval is too wide")
