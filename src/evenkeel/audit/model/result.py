"""The result of a whole audit: what the reports, the tracker and the exit status are made from. A frozen value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from evenkeel.audit.model.briefing import BUILT_IN
from evenkeel.audit.model.finding import SEVERITIES, Finding, Gap, Severity


class SeverityCounts(msgspec.Struct, frozen=True, gc=False):
    """How many findings of each severity."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.critical + self.high + self.medium + self.low

    def of(self, severity: Severity) -> int:
        """The count of one severity."""
        return int(getattr(self, severity.lower()))


def count(findings: Iterable[Finding]) -> SeverityCounts:
    """Severity counts of these findings."""
    tally = Counter(each.severity for each in findings)
    return SeverityCounts(tally["CRITICAL"], tally["HIGH"], tally["MEDIUM"], tally["LOW"])


def order(finding: Finding) -> tuple[int, str, int, str, str]:
    """Sort key: CRITICAL first, then file, line, rule, function."""
    return SEVERITIES.index(finding.severity), finding.file, finding.line, finding.rule, finding.function


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then the hot path before the rest, the certain before the likely, what stands closer to its entry
    point, the quicker repair, then place."""
    return sorted(findings, key=lambda each: (_weight(each), len(each.entry_path), _effort(each), order(each)))


def worst_varied(findings: Iterable[Finding], number: int) -> list[Finding]:
    """The worst, at most `number`; among equally bad ones those of many rules, not many of one."""
    ranked, turns, seen = worst_first(findings), list[int](), Counter[tuple[object, ...]]()
    for each in ranked:
        kind = (_weight(each), each.rule)
        turns.append(seen[kind])
        seen[kind] += 1
    chosen = sorted(range(len(ranked)), key=lambda index: (_weight(ranked[index]), turns[index], index))
    return [ranked[index] for index in chosen[:number]]


def _effort(finding: Finding) -> int:
    return "SML".index(finding.effort)


def _weight(finding: Finding) -> tuple[int, bool, bool]:
    return SEVERITIES.index(finding.severity), not finding.hot_path, finding.confidence != "definite"


class ConsultedSource(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A page that the audit relied on, which provider brought it, and when."""

    title: str
    url: str
    provider: str
    retrieved: str = ""  # YYYY-MM-DD; "": ships with evenkeel

    @property
    def origin(self) -> str:
        """The provider in words: `handbook: built-in, not refreshed`, `context7, retrieved 2026-02-04`."""
        if self.provider == BUILT_IN:
            return f"{self.provider}: built-in, not refreshed"
        return f"{self.provider}, retrieved {self.retrieved}" if self.retrieved else self.provider


class Criterion(msgspec.Struct, frozen=True, gc=False):
    """One item of the definition of done. `note` says why not, or what was done."""

    item: str
    done: bool
    note: str = ""


class Suppressed(msgspec.Struct, frozen=True, gc=False):
    """A finding that the project does not want reported, and who says so."""

    finding: Finding
    by: str  # "comment at app/jobs.py:12", "per-file-ignores: scripts/**"
    reason: str = ""  # as the comment gives it


class Notice(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with something that the project says to evenkeel, and what to do about it."""

    file: str
    line: int
    what: str


class BaselineEntry(msgspec.Struct, frozen=True, gc=False):
    """A finding that was there when the baseline was written. Only `fingerprint` is compared; the rest is to be read,
    and to choose by among equal ones."""

    file: str
    function: str  # without its module
    rule: str
    fingerprint: str
    issue: str = ""


class View(msgspec.Struct, frozen=True, gc=False):
    """Why not every finding is reported: those of a baseline are known, those apart from a change are not asked for.

    Scores always count all of them."""

    baseline: str = ""  # its file, as it was given
    known: int = 0
    stale: tuple[BaselineEntry, ...] = ()  # entries that nothing was found for
    since: str = ""  # the revision that --diff names
    untouched: int = 0


class CategoryResult(msgspec.Struct, frozen=True, gc=False):
    """What one worker's category came to, after the context rules.

    `findings` are reported and scored; `advisories` and `unsettled` (needs-context) are listed and cost nothing.
    `score` is None when the worker failed; `note` then says why. `suppressed` cost nothing; `held_back` are findings
    that count in the score but are not reported (see `View`).
    """

    category: str
    worker: str
    status: Literal["completed", "failed"]
    score: float | None = None
    findings: tuple[Finding, ...] = ()
    advisories: tuple[Finding, ...] = ()
    unsettled: tuple[Finding, ...] = ()
    lines: int = 0
    files: int = 0
    note: str = ""
    suppressed: tuple[Suppressed, ...] = ()
    held_back: tuple[Finding, ...] = ()

    @property
    def counts(self) -> SeverityCounts:
        """Severity counts of the findings that are reported."""
        return count(self.findings)

    @property
    def scored(self) -> int:
        """How many findings the score counts."""
        return len(self.findings) + len(self.held_back)


class AuditResult(msgspec.Struct, frozen=True, gc=False):
    """One run. `context` is the context store as the workers had it, as plain data; paths are relative to the root."""

    date: str  # YYYY-MM-DD
    context: dict[str, Any]
    categories: tuple[CategoryResult, ...]
    overall_score: float | None
    summary: str  # the executive summary, two or three sentences
    sources: tuple[ConsultedSource, ...] = ()
    gaps: tuple[Gap, ...] = ()
    definition_of_done: tuple[Criterion, ...] = ()
    notices: tuple[Notice, ...] = ()
    view: View | None = None  # None: every finding is reported

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All scored findings, category by category."""
        return tuple(each for category in self.categories for each in category.findings)

    @property
    def counts(self) -> SeverityCounts:
        """Severity counts of all scored findings."""
        return count(self.findings)

    @property
    def suppressed(self) -> tuple[Suppressed, ...]:
        """All that the project does not want reported."""
        return tuple(each for category in self.categories for each in category.suppressed)

    @property
    def scored(self) -> int:
        """How many findings the scores count."""
        return sum(each.scored for each in self.categories)

    @property
    def lines(self) -> int:
        """Audited lines of code: the workers read the same files, so the largest count stands for all."""
        return max((each.lines for each in self.categories), default=0)

    @property
    def files(self) -> int:
        """Audited files, counted like `lines`."""
        return max((each.files for each in self.categories), default=0)
