"""Figures in documents, held against the runs behind them.

A figure of performance in a document is a link to evidence, with the place of the number as its fragment:

    [0.28](evidence/s1-postgres.json#S1/overhead_p95_ms/ratio) of the old way's P95

The place is `scenario/figure/what`: `ratio`, `ours`, `theirs`, and with `.low` or `.high` the ends of its interval; or
`scenario/check/worst`. What is written must be what was measured, rounded to as many digits as are written; `72 %` stands for
0.72, and `-72 %` for a ratio of 0.28. A quantity with a unit of performance that is no such link is a claim without a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evenkeel.kernel.errors import UsageError
from evenkeel.prove.evidence.record import Evidence, read
from evenkeel.prove.measure.values import Interval

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+\.json)#([^)\s]+)\)")
_QUANTITY = re.compile(
    r"(?<![\w.#/-])[-−]?\d[\d,]*(?:\.\d+)?\s?(?:ms|µs|us|MiB|KiB|GiB|%|times|/s|[a-z]+/s|倍|毫秒)(?!\w)"
)
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Claim:
    """What a document says, and where the run behind it is; `place` is empty for a claim without a run."""

    text: str
    line: int
    file: str = ""
    place: str = ""


def claims(text: str) -> Iterator[Claim]:
    """All of a Markdown document, code blocks left out."""
    prose = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for found in _LINK.finditer(prose):
        yield Claim(found[1], prose.count("\n", 0, found.start()) + 1, found[2], found[3])
    bare = _LINK.sub(lambda found: " " * len(found[0]), prose)
    for found in _QUANTITY.finditer(bare):
        yield Claim(found[0].strip(), bare.count("\n", 0, found.start()) + 1)


def unproved(document: Path) -> list[str]:
    """What in a document no run supports, one sentence each."""
    found = []
    for claim in claims(document.read_text(encoding="utf-8")):
        problem = _problem(claim, document.parent)
        if problem:
            found.append(f"{document.name}:{claim.line}: {claim.text}: {problem}")
    return found


def _problem(claim: Claim, folder: Path) -> str:
    if not claim.place:
        return "no run is behind it; link it to docs/evidence"
    try:
        measured = value(read(folder / claim.file), claim.place)
    except (UsageError, LookupError) as error:
        return f"{claim.file}#{claim.place}: {error}"
    return "" if says(claim.text, measured) else f"measured was {measured:.4g}"


def value(evidence: Evidence, place: str) -> float:
    """The number at a place. LookupError when there is none."""
    key, name, what = (*place.split("/"), "", "")[:3]
    judged = evidence.scenario(key)
    if judged is None:
        raise LookupError(f"no scenario {key}")
    if what == "worst":
        counted = [ruling.worst for ruling in judged.rulings if ruling.check.key == name and ruling.runs]
        if not counted:
            raise LookupError(f"no check {name} was counted")
        return float(max(counted))
    finding = next((each for each in judged.findings if each.figure.key == name), None)
    side, _, end = what.partition(".")
    found = getattr(finding, side, None) if side in {"ratio", "ours", "theirs"} else None
    if not isinstance(found, Interval):
        raise LookupError(f"no {what or 'number'} of {name}")
    return {"": found.estimate, "low": found.low, "high": found.high}[end]


def says(text: str, measured: float) -> bool:
    """Whether a text states this number, to the digits that it has."""
    found = _NUMBER.search(text)
    if found is None:
        return False
    written = found[0].replace(",", "").replace("−", "-")
    rest = text[found.end() :].strip()
    percent = rest.startswith("%")
    if percent and written.startswith("-"):
        measured = measured - 1
    scaled = Decimal(repr(measured * (100 if percent else 1)))
    stated = Decimal(written)
    digits = Decimal(1).scaleb(int(stated.as_tuple().exponent)) / 2
    return abs(scaled - stated) <= digits * Decimal("1.0001")
