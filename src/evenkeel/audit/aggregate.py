"""Aggregation: three worker reports in, categories with scores out. Pure, and blind to the order in which things come.

Per category, in this order: equal findings are merged, fingerprints given, decision records and the execution context
weighed, suppressed ones taken out, findings sorted into reported, advisory and unsettled, and the reported ones scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from evenkeel.audit.decisions import Excuse, covering_decision, excuses, label
from evenkeel.audit.fingerprints import with_fingerprints
from evenkeel.audit.model.finding import CATEGORIES, SEVERITIES, Advisory, Finding, Gap, WorkerReport
from evenkeel.audit.model.profile import Decision, Profile
from evenkeel.audit.model.result import CategoryResult, Suppressed, count, order
from evenkeel.audit.scoring import score
from evenkeel.audit.suppressions import Suppressions
from evenkeel.audit.validation import weigh_context

_CONFIDENCES = ("definite", "likely", "needs-context")


def aggregate(
    reports: Iterable[WorkerReport], profile: Profile, suppressions: Suppressions | None = None
) -> tuple[CategoryResult, ...]:
    """One result per category, in the fixed order of the three. A category without a report has failed and says so."""
    by_worker = {each.worker: each for each in reports}
    technologies = frozenset(each.name for each in profile.technologies)
    return tuple(
        _category(by_worker[worker], profile.decisions, technologies, suppressions or Suppressions())
        if worker in by_worker
        else CategoryResult(title, worker, "failed", note="the worker gave no answer")
        for worker, title, _ in CATEGORIES
    )


def merged_gaps(reports: Iterable[WorkerReport]) -> tuple[Gap, ...]:
    """What was not looked at, sorted. Workers read the same files, so the same gap of two workers is listed once,
    with the larger count; a failed worker is a gap too."""
    largest: dict[tuple[str, str, str], Gap] = {}
    for report in reports:
        failed = (Gap("worker", report.worker, report.note or "failed"),) if report.status == "failed" else ()
        for gap in (*report.gaps, *failed):
            key = (gap.kind, gap.what, gap.why)
            if key not in largest or largest[key].count < gap.count:
                largest[key] = gap
    return tuple(largest[key] for key in sorted(largest))


def distinct(findings: Iterable[Finding], outcome: Callable[[Finding], Finding]) -> tuple[Finding, ...]:
    """One finding per rule, file, line and function. By their `outcome`: one that counts before one that does not, the
    severest, the surest, and the one on the hot path. So a further finding never takes a counted one away."""
    kept: dict[tuple[str, str, int, str], Finding] = {}
    for each in sorted(findings, key=lambda each: _preference(each, outcome(each))):
        kept.setdefault((each.rule, each.file, each.line, each.function), each)
    return tuple(sorted(kept.values(), key=order))


def judged(finding: Finding, candidates: Iterable[Excuse], technologies: frozenset[str]) -> Finding:
    """The finding after the context rules: a recorded decision first, as it explains more, then where the code runs."""
    if finding.advisory is not None:
        return finding
    decision = covering_decision(finding, candidates, technologies)
    if decision is None:
        return weigh_context(finding)
    place = f"{decision.source.file}:{decision.source.line}" if decision.source.line else decision.source.file
    evidence = (f"{decision.title} ({place}, {decision.status})",)
    return msgspec.structs.replace(finding, advisory=Advisory(label(decision), evidence, finding.severity))


def _category(
    report: WorkerReport,
    decisions: tuple[Decision, ...],
    technologies: frozenset[str],
    suppressions: Suppressions,
) -> CategoryResult:
    failed = report.status == "failed"

    spoken_of = {rule: excuses(rule, decisions) for rule in {each.rule for each in report.findings}}

    def outcome(finding: Finding) -> Finding:
        return judged(finding, spoken_of[finding.rule], technologies)

    named = with_fingerprints(distinct(report.findings, outcome))
    findings, suppressed = _parted(sorted((outcome(each) for each in named), key=order), suppressions)
    settled = [each for each in findings if each.confidence != "needs-context"]
    reported = tuple(each for each in settled if each.advisory is None)
    return CategoryResult(
        category=report.category,
        worker=report.worker,
        status=report.status,
        score=None if failed else score(count(reported), report.lines),
        findings=reported,
        advisories=tuple(each for each in settled if each.advisory is not None),
        unsettled=tuple(each for each in findings if each.confidence == "needs-context"),
        lines=report.lines,
        files=report.files,
        note=report.note,
        suppressed=suppressed,
    )


def _parted(
    findings: Iterable[Finding], suppressions: Suppressions
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Those to report, and those that the project does not want."""
    verdicts = [(each, suppressions.of(each)) for each in findings]
    kept = tuple(each for each, verdict in verdicts if verdict is None)
    return kept, tuple(verdict for _, verdict in verdicts if verdict is not None)


def _preference(finding: Finding, outcome: Finding) -> tuple[bool, bool, int, int, bool, int, str]:
    return (
        outcome.confidence == "needs-context",
        outcome.advisory is not None,
        SEVERITIES.index(outcome.severity),
        _CONFIDENCES.index(outcome.confidence),
        not finding.hot_path,
        len(finding.path),
        repr(finding),
    )
