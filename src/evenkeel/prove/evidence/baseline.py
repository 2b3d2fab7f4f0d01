"""Baselines for CI: ratios of the two arms, never times. A machine twice as slow has the same ratios.

Saved: per scenario and figure the ratio with its interval. Checked: a figure has fallen back when even the good end of its
new interval is worse than the bad end of the old one by more than the tolerance; a check that held must still hold.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from evenkeel.kernel.errors import UsageError
from evenkeel.prove.evidence.record import Evidence, Judged
from evenkeel.prove.measure.values import Better
from evenkeel.prove.verdict import Finding

TOLERANCE = 0.25


class Ratio(msgspec.Struct, frozen=True):
    """Of one figure. `lower`: lower is better."""

    estimate: float
    low: float
    high: float
    lower: bool


class Baseline(msgspec.Struct, frozen=True):
    """Ratios by `S1 overhead_p95_ms`, and checks that held. Valid for one database and size."""

    database: str
    size: str
    ratios: dict[str, Ratio]
    holding: list[str]


def baseline(evidence: Evidence) -> Baseline:
    """The ratios of a session, where there is an interval."""
    ratios = {
        f"{judged.key} {finding.figure.key}": Ratio(
            found.estimate, found.low, found.high, finding.figure.better is Better.LOWER
        )
        for judged in evidence.scenarios
        for finding in judged.findings
        if (found := finding.ratio) is not None and found.count > 1
    }
    return Baseline(_kind(evidence), evidence.size, ratios, sorted(_holding(evidence)))


def fallen_back(old: Baseline, evidence: Evidence, tolerance: float = TOLERANCE) -> list[str]:
    """What is worse than the baseline, one sentence each. UsageError when the two cannot be compared."""
    new = baseline(evidence)
    if (old.database, old.size) != (new.database, new.size):
        raise UsageError(
            f"The baseline is of {old.database}, {old.size}; this run of {new.database}, {new.size}.",
            hint="Compare like with like, or save a new baseline.",
        )
    worse = [
        f"{key}: ratio {mine.estimate:.3g} ({mine.low:.3g} to {mine.high:.3g}), was {was.estimate:.3g}"
        for key, was in sorted(old.ratios.items())
        if (mine := new.ratios.get(key)) is not None and _is_worse(was, mine, tolerance)
    ]
    ran = {f"{judged.key} {ruling.check.key}" for judged in evidence.scenarios for ruling in judged.rulings}
    broken = sorted(set(old.holding) & ran - _holding(evidence))
    return worse + [f"{key}: held, and no longer does" for key in broken]


def _is_worse(was: Ratio, now: Ratio, tolerance: float) -> bool:
    if was.lower:
        return now.low > was.high * (1 + tolerance)
    return now.high < was.low / (1 + tolerance)


def _holding(evidence: Evidence) -> set[str]:
    return {
        f"{judged.key} {ruling.check.key}"
        for judged in evidence.scenarios
        for ruling in judged.rulings
        if ruling.holds and ruling.arm == _ours(judged)
    }


def _ours(judged: Judged) -> str:
    return judged.rulings[0].arm if judged.rulings else ""


def _kind(evidence: Evidence) -> str:
    return evidence.database.split(" ", 1)[0]


def save(path: Path, evidence: Evidence) -> None:
    """Write the baseline of a session."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(baseline(evidence)), indent=2) + b"\n")


def load(path: Path) -> Baseline:
    """Read one. UsageError when there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", hint="Write it with --save-baseline.") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is not a baseline: {error}.", hint="Write it again with --save-baseline.") from error


def promise_kept(finding: Finding) -> bool:
    """No bound of this figure is broken."""
    return "broken" not in {finding.floor, finding.limit}
