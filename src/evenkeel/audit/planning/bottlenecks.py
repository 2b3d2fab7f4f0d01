"""Bottlenecks: the findings that have one answer, and how urgent they are together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from evenkeel.audit.model.finding import SEVERITIES, Finding, Severity, Step
from evenkeel.audit.model.result import worst_first
from evenkeel.audit.planning.remedies import UNKNOWN, Remedy, remedies

Priority = Literal["P0", "P1"]
_SEVERE: frozenset[Severity] = frozenset({"CRITICAL", "HIGH"})


class Bottleneck(msgspec.Struct, frozen=True, gc=False):
    """All findings with one answer, the worst first. P0: one of them at least is severe and on the hot path.

    `entry` is the entry of the tables that answers them: the rule, or what the rule names for some of its findings."""

    rule: str
    entry: str
    priority: Priority
    findings: tuple[Finding, ...]
    remedy: Remedy

    @property
    def severity(self) -> Severity:
        """The worst severity."""
        return self.findings[0].severity

    @property
    def urgent(self) -> tuple[Finding, ...]:
        """The findings that make it P0."""
        return tuple(each for each in self.findings if is_urgent(each))


def is_urgent(finding: Finding) -> bool:
    """Severe and on the hot path."""
    return finding.hot_path and finding.severity in _SEVERE


def bottlenecks(findings: Iterable[Finding]) -> tuple[Bottleneck, ...]:
    """One for each answer that something was found for: P0 before P1, then by severity, number of findings and name."""
    by_entry: dict[str, list[Finding]] = {}
    for each in worst_first(findings):
        by_entry.setdefault(_entry(each), []).append(each)
    return tuple(sorted((_of(entry, found) for entry, found in by_entry.items()), key=_order))


def place_of(finding: Finding) -> str:
    """`app/jobs.py:12`."""
    return f"{finding.file}:{finding.line}"


def entry_points(findings: Iterable[Finding]) -> tuple[Step, ...]:
    """Where requests or messages come in on the way to findings on the hot path: one step a function, by frequency."""
    counts: dict[str, int] = {}
    first: dict[str, Step] = {}
    for each in findings:
        if each.hot_path:
            step = each.entry_path[0] if each.entry_path else Step(each.file, each.line, each.function)
            counts[step.function] = counts.get(step.function, 0) + 1
            if step.function not in first or step.line < first[step.function].line:
                first[step.function] = step
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return tuple(first[name] for name in names)


def _of(entry: str, found: list[Finding]) -> Bottleneck:
    priority: Priority = "P0" if any(is_urgent(each) for each in found) else "P1"
    return Bottleneck(found[0].rule, entry, priority, tuple(found), remedies().get(entry, UNKNOWN))


def _entry(finding: Finding) -> str:
    remedy = remedies().get(finding.rule, UNKNOWN)
    return remedy.instead if remedy.when and remedy.when in finding.issue else finding.rule


def _order(each: Bottleneck) -> tuple[str, int, int, str]:
    return each.priority, SEVERITIES.index(each.severity), -len(each.findings), each.entry
