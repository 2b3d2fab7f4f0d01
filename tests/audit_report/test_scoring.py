"""The score is exactly the published formula."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.model.result import SeverityCounts
from evenkeel.audit.scoring import band, density, overall, score

some = st.integers(0, 60)
counts = st.builds(SeverityCounts, some, some, some, some)


@pytest.mark.parametrize(
    ("of", "lines", "expected"),
    [
        (SeverityCounts(0, 3, 1, 2), 900, 6.1),
        (SeverityCounts(5, 1), 900, 0.0),
        (SeverityCounts(), 0, 10.0),
        (SeverityCounts(0, 3, 4, 1), 10_000, 4.8),
        (SeverityCounts(0, 3, 4, 1), 20_000, 7.4),
        (SeverityCounts(low=1), 40_000, 10.0),  # 9.95, half rounded up
        (SeverityCounts(critical=30), 100_000, 4.0),
    ],
)
def test_known_scores(of: SeverityCounts, lines: int, expected: float) -> None:
    assert score(of, lines) == expected


@given(counts, st.integers(0, 3_000_000))
def test_the_score_is_the_formula(of: SeverityCounts, lines: int) -> None:
    penalty = 2 * of.critical + of.high + Decimal("0.5") * of.medium + Decimal("0.2") * of.low
    units = max(Decimal(1), Decimal(lines) / 10_000)
    exact = max(Decimal(0), 10 - penalty / units).quantize(Decimal("0.1"), ROUND_HALF_UP)
    assert score(of, lines) == float(exact)


@given(counts, counts, st.integers(0, 300_000))
def test_more_findings_never_score_higher(one: SeverityCounts, more: SeverityCounts, lines: int) -> None:
    both = SeverityCounts(*(a + b for a, b in zip(_numbers(one), _numbers(more), strict=True)))
    assert score(both, lines) <= score(one, lines)


def _numbers(of: SeverityCounts) -> tuple[int, int, int, int]:
    return of.critical, of.high, of.medium, of.low


def test_overall_is_the_mean_of_those_that_ran() -> None:
    assert overall([6.0, 8.0, 8.0]) == 7.3
    assert overall([10.0, 9.9]) == 10.0  # 9.95
    assert overall([4.2]) == 4.2
    assert overall([]) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [(10.0, "minor"), (8.0, "minor"), (7.9, "moderate"), (6.0, "moderate"), (5.9, "significant"), (4.0, "significant"),
     (3.9, "critical"), (0.0, "critical")],
)  # fmt: skip
def test_bands(value: float, word: str) -> None:
    assert band(value, 1) == word
    assert band(value, 0) == "none"


def test_density_is_per_thousand_lines() -> None:
    assert density(8, 2_000) == 4.0
    assert density(1, 0) == 0.0
