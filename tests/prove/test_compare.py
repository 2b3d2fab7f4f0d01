"""The statistics, fed with distributions whose truth is known."""

from __future__ import annotations

import math
import random

import pytest

from evenkeel.prove.compare import detectable, expanded_tail, mean, ratio, slope, student
from evenkeel.prove.measure.values import OPTIMISED, ROLLBACK, Better, Check, Figure, Observation, Saturation
from evenkeel.prove.verdict import Promise, Verdict, filling, growth, judge, rule

FIGURE = Figure("p95_ms", "P95", "ms", floor=0.9, limit=12.0)
NOISE = 0.06  # of a run, log-normal: about what a busy machine gives


def observed(arm: str, pair: int, value: float, phase: str = "A/B", void: str = "", **counts: int) -> Observation:
    busy = Saturation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, void)
    return Observation(arm, 0, pair, phase, 1, 1.0, {FIGURE.key: value}, counts, saturation=busy)


def session(seed: int, truth: float, pairs: int = 8, noise: float = NOISE, drift: float = 0.3) -> list[Observation]:
    """A/A and A/B pairs of runs of which ours truly takes `truth` times as long, on a machine that slows down meanwhile."""
    chance = random.Random(seed)
    runs = []
    for pair in range(3 + pairs):
        moment = 10.0 * math.exp(drift * chance.random())
        phase, other, factor = ("A/A", f"{OPTIMISED}'", 1.0) if pair < 3 else ("A/B", ROLLBACK, 1 / truth)
        runs.append(observed(OPTIMISED, pair, moment * math.exp(chance.gauss(0, noise)), phase))
        runs.append(observed(other, pair, moment * factor * math.exp(chance.gauss(0, noise)), phase))
    return runs


def verdicts(truth: float, count: int = 80, **changes: float) -> list[Verdict]:
    pairs = int(changes.pop("pairs", 8))
    sessions = (session(seed, truth, pairs, **changes) for seed in range(count))
    return [judge(FIGURE, runs, OPTIMISED, ROLLBACK, resamples=400).verdict for runs in sessions]


def test_a_true_difference_of_a_fifth_is_found() -> None:
    found = verdicts(0.8)
    assert found.count(Verdict.BETTER) >= 0.9 * len(found)
    assert Verdict.WORSE not in found
    assert verdicts(1.25).count(Verdict.WORSE) >= 0.9 * len(found)


def test_equals_are_not_told_apart() -> None:
    found = verdicts(1.0, 250)
    assert found.count(Verdict.BETTER) + found.count(Verdict.WORSE) <= 0.02 * len(found)


def test_equals_measured_closely_are_the_same() -> None:
    found = verdicts(1.0, noise=0.01)
    assert found.count(Verdict.SAME) >= 0.95 * len(found)


@pytest.mark.parametrize("pairs", [0, 1, 4])
def test_thin_data_say_nothing(pairs: int) -> None:
    assert set(verdicts(0.2, 20, pairs=pairs)) == {Verdict.UNKNOWN}


def test_noise_that_hides_a_difference_is_not_called_same() -> None:
    assert set(verdicts(0.95, 40, noise=0.4)) <= {Verdict.UNKNOWN, Verdict.BETTER, Verdict.WORSE}


def test_a_count_that_falls_to_zero_has_a_ratio() -> None:
    found = ratio([(0.0, 300.0)] * 6)
    assert found is not None
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)
    assert ratio([(0.0, 0.0)] * 6) is None
    assert ratio([]) is None


def test_higher_is_better_where_it_is() -> None:
    figure = Figure("p95_ms", "rate", "1/s", better=Better.HIGHER, floor=1.5)
    found = judge(figure, session(1, 2.0), OPTIMISED, ROLLBACK)
    assert (found.verdict, found.floor) == (Verdict.BETTER, Promise.KEPT)


def test_bounds_are_judged_by_the_whole_interval() -> None:
    kept = judge(FIGURE, session(1, 0.5), OPTIMISED, ROLLBACK)
    assert (kept.floor, kept.limit) == (Promise.KEPT, Promise.OPEN)
    assert judge(FIGURE, session(1, 1.2), OPTIMISED, ROLLBACK).floor is Promise.BROKEN
    assert judge(FIGURE, session(1, 0.5, pairs=2), OPTIMISED, ROLLBACK).floor is Promise.OPEN


def test_void_runs_are_not_used_for_figures_but_for_checks() -> None:
    runs = [observed(OPTIMISED, pair, 5.0, lost=1, void="the clients were late") for pair in range(6)]
    runs += [observed(ROLLBACK, pair, 10.0, lost=0) for pair in range(6)]
    assert judge(FIGURE, runs, OPTIMISED, ROLLBACK).verdict is Verdict.UNKNOWN
    ruling = rule(Check("lost", "lost"), runs, OPTIMISED)
    assert (ruling.worst, ruling.runs, ruling.holds) == (1, 6, False)
    assert not rule(Check("other", "never counted"), runs, OPTIMISED).holds


def test_intervals_cover_what_they_say() -> None:
    chance, missed = random.Random(3), 0
    for seed in range(300):
        found = mean([chance.expovariate(1.0) for _ in range(12)], seed=seed, resamples=400)
        assert found is not None
        missed += not found.low <= 1.0 <= found.high
    assert missed <= 0.12 * 300  # 5 % for a normal; exponentials are as skewed as latencies get


@pytest.mark.parametrize(("freedom", "bound"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_student(freedom: int, bound: float) -> None:
    assert student(freedom, 0.95) == pytest.approx(bound, abs=2e-3)


def test_few_values_get_wider_intervals() -> None:
    assert expanded_tail(5, 0.95) < expanded_tail(20, 0.95) < 0.025


def test_what_could_have_been_seen() -> None:
    few, many = detectable([0.1, -0.1, 0.05], 5), detectable([0.1, -0.1, 0.05], 20)
    assert few is not None
    assert many is not None
    assert 0 < many < few
    assert detectable([0.1], 5) is None


def readings(seed: int, per_s: float, seconds: int = 600, start: float = 120.0) -> list[tuple[float, float]]:
    """Memory in MiB every two seconds, with noise in which neighbours resemble each other."""
    chance, wave = random.Random(seed), 0.0
    points = []
    for second in range(0, seconds, 2):
        wave = 0.8 * wave + chance.gauss(0, 0.3)
        points.append((float(second), start + per_s * second + wave))
    return points


def test_a_leak_is_found_and_none_is_invented() -> None:
    leaks = [growth("rss_mib", "a", readings(seed, 0.02)).verdict for seed in range(60)]
    assert leaks.count("grows") >= 0.95 * len(leaks)
    steady = [growth("rss_mib", "a", readings(seed, 0.0)).verdict for seed in range(200)]
    assert steady.count("grows") <= 0.02 * len(steady)
    assert steady.count("flat") >= 0.9 * len(steady)


def test_a_short_look_at_memory_says_nothing() -> None:
    assert growth("rss_mib", "a", readings(1, 0.0, seconds=60)).verdict == "unknown"
    assert growth("rss_mib", "a", []).verdict == "unknown"
    assert growth("threads", "a", [(float(at), 8.0) for at in range(300)]).verdict == "flat"


def test_a_map_that_fills_is_bounded_until_it_is_over_its_capacity() -> None:
    points = [(float(at), float(at)) for at in range(300)]
    bounded = filling("map a", "arm", points, 1_000.0)
    assert bounded is not None
    assert (bounded.verdict, bounded.why) == ("bounded", "at most 299 of 1000")
    assert filling("map a", "arm", points, 200.0) is None
    assert filling("map a", "arm", points, 0.0) is None  # no capacity is known
    assert growth("map a", "arm", points).verdict == "grows"


def test_a_slope_covers_the_truth() -> None:
    missed = 0
    for seed in range(200):
        found = slope(readings(seed, 0.01))
        assert found is not None
        missed += not found.low <= 0.01 <= found.high
    assert missed <= 0.1 * 200
