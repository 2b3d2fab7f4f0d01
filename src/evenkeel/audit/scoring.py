"""Score and bands, exactly as the rules of the audit state them. Pure; whole tenths inside, against rounding errors."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.audit.model.result import SeverityCounts

UNIT_LINES = 10_000  # the penalty counts per so many lines of audited code, and at least one such unit
_BANDS = ((80, "minor"), (60, "moderate"), (40, "significant"), (0, "critical"))


def score(counts: SeverityCounts, lines: int) -> float:
    """0.0 to 10.0, one decimal, half rounded up: 10 less the penalty per 10,000 lines. More findings never raise it."""
    scale = max(UNIT_LINES, lines)
    penalty_tenths = 20 * counts.critical + 10 * counts.high + 5 * counts.medium + 2 * counts.low
    kept = max(0, 100 * scale - penalty_tenths * UNIT_LINES)
    return (2 * kept + scale) // (2 * scale) / 10


def overall(scores: Sequence[float]) -> float | None:
    """The mean of the scores of the categories that ran, one decimal, half rounded up; None when none ran."""
    if not scores:
        return None
    tenths = sum(round(each * 10) for each in scores)
    return (2 * tenths + len(scores)) // (2 * len(scores)) / 10


def band(value: float, findings: int) -> str:
    """The word for a score. A large code base can round to 10.0 with findings left: that is `minor`, not `none`."""
    if findings == 0:
        return "none"
    return next(word for floor, word in _BANDS if round(value * 10) >= floor)


def density(findings: int, lines: int) -> float:
    """Findings per 1,000 lines, one decimal; 0.0 when no line was audited."""
    return round(1000 * findings / lines, 1) if lines else 0.0
