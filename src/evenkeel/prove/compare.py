"""Statistics of a comparison, all pure: the same numbers and seed give the same answer.

The unit is a run, never a request: requests of one run share their server, their moment and their neighbours, so a thousand
of them are not a thousand observations. A pair is one run of each arm, close together in time and in random order; the
ratio within a pair cancels what the machine did meanwhile.

Intervals are bootstrap percentiles, widened for few pairs (Hesterberg's expanded percentile: the plain one is too narrow by
sqrt((n-1)/n) and by the normal's thin tails, which at five pairs makes 1 in 7 comparisons of equals look different).
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

from evenkeel.prove.measure.values import Interval

RESAMPLES = 4_000
T = TypeVar("T")
Pair = tuple[float, float]  # (value of the arm under test, value of the other arm)


def ratio(
    pairs: Sequence[Pair], *, seed: int = 0, confidence: float = 0.95, resamples: int = RESAMPLES
) -> Interval | None:
    """How many times the other arm's value ours is. None when nothing can be said: no pairs, or nothing but zeros.

    The geometric mean of the ratios of the pairs; where a value is 0 (a count that a remedy abolishes), the ratio of the
    sums."""
    if all(ours > 0 and theirs > 0 for ours, theirs in pairs):
        logs = [math.log(ours / theirs) for ours, theirs in pairs]
        found = bootstrap(logs, _average, seed=seed, confidence=confidence, resamples=resamples)
        if found is None:
            return None
        return Interval(math.exp(found.estimate), math.exp(found.low), math.exp(found.high), found.count, confidence)
    if not sum(theirs for _, theirs in pairs):
        return None
    return bootstrap(list(pairs), _ratio_of_sums, seed=seed, confidence=confidence, resamples=resamples)


def mean(
    values: Sequence[float], *, seed: int = 0, confidence: float = 0.95, resamples: int = RESAMPLES
) -> Interval | None:
    """The mean of one arm's values. None when there are none."""
    return bootstrap(list(values), _average, seed=seed, confidence=confidence, resamples=resamples)


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _ratio_of_sums(pairs: Sequence[Pair]) -> float:
    theirs = sum(other for _, other in pairs)
    return sum(ours for ours, _ in pairs) / theirs if theirs else 1.0


def bootstrap(
    values: Sequence[T], of: Callable[[Sequence[T]], float], *, seed: int, confidence: float, resamples: int = RESAMPLES
) -> Interval | None:
    """The interval of a statistic of these values, by drawing as many again with replacement."""
    count = len(values)
    if not count:
        return None
    estimate = of(values)
    if count == 1:
        return Interval(estimate, estimate, estimate, 1, confidence)
    chance = random.Random(seed)  # noqa: S311 - statistics, not secrets
    drawn = sorted(of(chance.choices(values, k=count)) for _ in range(resamples))
    tail = expanded_tail(count, confidence)
    return Interval(estimate, _at(drawn, tail), _at(drawn, 1 - tail), count, confidence)


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, math.floor(part * len(ordered))))]


def expanded_tail(count: int, confidence: float) -> float:
    """The part to leave out at each end, so that the interval of `count` values covers as Student's t would."""
    normal = statistics.NormalDist()
    return normal.cdf(-math.sqrt(count / (count - 1)) * student(count - 1, confidence))


def student(freedom: int, confidence: float) -> float:
    """The two-sided quantile of Student's t, by bisection on its exact distribution."""
    low, high = 0.0, 1e4
    while high - low > 1e-9 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(freedom, middle) < confidence else (low, middle)
    return (low + high) / 2


def _within(freedom: int, bound: float) -> float:
    """P(|T| <= bound): the finite sums in the angle, which are exact for whole degrees of freedom."""
    angle = math.atan2(bound, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
    for step in range(1 if freedom % 2 else 0, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (step + 1) / (step + 2)
    return (angle + sine * total) * 2 / math.pi if freedom % 2 else sine * total


def slope(points: Sequence[tuple[float, float]], *, confidence: float = 0.95) -> Interval | None:
    """Growth per unit of x, by a straight line, with an interval that knows that neighbours resemble each other.

    Readings of one process are not independent: a garbage collection or a cache shifts many in a row. The residuals' first
    autocorrelation shrinks the number of readings that count. None below 8 points."""
    count = len(points)
    if count < 8:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    middle, height = statistics.fmean(xs), statistics.fmean(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    if not spread:
        return None
    estimate = sum((x - middle) * (y - height) for x, y in points) / spread
    rests = [y - height - estimate * (x - middle) for x, y in points]
    effective = max(4.0, count * (1 - (rho := _resemblance(rests))) / (1 + rho))
    variance = sum(rest * rest for rest in rests) / count * effective / (effective - 2)
    error = math.sqrt(variance / spread * count / effective)
    reach = student(max(2, int(effective) - 2), confidence) * error
    return Interval(estimate, estimate - reach, estimate + reach, count, confidence)


def _resemblance(rests: Sequence[float]) -> float:
    power = sum(rest * rest for rest in rests)
    if power < 1e-18:
        return 0.0
    found = sum(one * other for one, other in pairwise(rests)) / power
    return min(0.95, max(0.0, found + (2 + 4 * found) / len(rests)))  # too low by about that much after a fitted line


def detectable(logs: Sequence[float], pairs: int, *, confidence: float = 0.95) -> float | None:
    """The relative difference that `pairs` pairs can tell from noise like this (log ratios of A/A); None if unknown."""
    if len(logs) < 2 or pairs < 2:
        return None
    error = math.sqrt(sum(each * each for each in logs) / len(logs) / pairs)  # equals: the true mean is 0
    return math.expm1(student(min(len(logs), pairs) - 1, confidence) * error)
