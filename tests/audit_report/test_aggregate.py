"""Merging, sorting and scoring, and the context rules as they act on whole reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.aggregate import aggregate, distinct, merged_gaps
from evenkeel.audit.model.finding import (
    CATEGORIES,
    QUERY_EFFICIENCY,
    RUNTIME_PERFORMANCE,
    SEVERITIES,
    TRANSACTION_CORRECTNESS,
    Confidence,
    Effort,
    Finding,
    Gap,
    WorkerReport,
)
from evenkeel.audit.model.profile import Decision, Profile, Source
from evenkeel.audit.model.result import order, worst_first, worst_varied

PROFILE = Profile(root=".")
RULES = ("n-plus-one", "blocking-io-in-async", "wide-transaction", "missing-rollback", "n-write-loop")
CONTEXTS = ("set-up: app.init", "batch: file under jobs/a.py", "safeguard: a time-out", "small data: 4 items")

findings = st.builds(
    Finding,
    rule=st.sampled_from(RULES),
    severity=st.sampled_from(SEVERITIES),
    confidence=st.sampled_from(get_args(Confidence)),
    file=st.sampled_from(("app/a.py", "app/b.py")),
    line=st.integers(1, 5),
    end_line=st.integers(5, 6),
    function=st.sampled_from(("app.a.run", "app.b.Work.run")),
    issue=st.sampled_from(("`load` per row", "`save` per row at line 12")),
    recommendation=st.just("Batch it."),
    effort=st.sampled_from(get_args(Effort)),
    hot_path=st.booleans(),
    contexts=st.lists(st.sampled_from(CONTEXTS), max_size=4).map(tuple),
)
some_findings = st.lists(findings, max_size=12)


def _report(worker: str, items: list[Finding]) -> WorkerReport:
    title = next(title for name, title, _ in CATEGORIES if name == worker)
    return WorkerReport(worker, title, "completed", tuple(items), lines=12_000, files=2)


@given(some_findings, st.randoms())
def test_the_order_of_reports_and_findings_changes_nothing(items: list[Finding], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    reports = [_report(QUERY_EFFICIENCY, items), _report(RUNTIME_PERFORMANCE, items)]
    other = [_report(RUNTIME_PERFORMANCE, shuffled), _report(QUERY_EFFICIENCY, shuffled)]
    assert aggregate(reports, PROFILE) == aggregate(other, PROFILE)


@given(some_findings)
def test_aggregating_twice_is_aggregating_once(items: list[Finding]) -> None:
    once = aggregate([_report(QUERY_EFFICIENCY, items)], PROFILE)[0]
    again = [*once.findings, *once.advisories, *once.unsettled]
    assert aggregate([_report(QUERY_EFFICIENCY, again)], PROFILE)[0] == once


@given(some_findings, findings)
def test_one_more_finding_never_raises_the_score(items: list[Finding], more: Finding) -> None:
    less = aggregate([_report(QUERY_EFFICIENCY, items)], PROFILE)[0].score
    after = aggregate([_report(QUERY_EFFICIENCY, [*items, more])], PROFILE)[0].score
    assert less is not None
    assert after is not None
    assert after <= less


@given(some_findings)
def test_every_distinct_finding_is_listed_exactly_once(items: list[Finding]) -> None:
    result = aggregate([_report(QUERY_EFFICIENCY, items)], PROFILE)[0]
    listed = [*result.findings, *result.advisories, *result.unsettled]
    assert sorted((f.rule, f.file, f.line, f.function) for f in listed) == sorted(
        {(f.rule, f.file, f.line, f.function) for f in items}
    )
    assert len({each.fingerprint for each in listed}) == len(listed)
    assert all(each.advisory is None and each.confidence != "needs-context" for each in result.findings)
    assert list(result.findings) == sorted(result.findings, key=order)


def test_equal_findings_keep_the_severest_and_surest(finding: Callable[..., Finding]) -> None:
    weak = finding(severity="MEDIUM", confidence="likely")
    hot = finding(hot_path=True)
    assert distinct([weak, finding(), hot], lambda each: each) == (hot,)
    unsettled = finding(severity="CRITICAL", confidence="needs-context")
    assert distinct([unsettled, weak], lambda each: each) == (weak,)


def test_a_worker_that_failed_has_no_score_and_is_a_gap(report: Callable[..., WorkerReport]) -> None:
    dead = report(RUNTIME_PERFORMANCE, status="failed", note="timed out after 5 s")
    results = aggregate([dead, report(QUERY_EFFICIENCY)], PROFILE)
    assert [each.worker for each in results] == [QUERY_EFFICIENCY, TRANSACTION_CORRECTNESS, RUNTIME_PERFORMANCE]
    assert [each.score for each in results] == [10.0, None, None]
    assert results[1].note == "the worker gave no answer"
    assert results[2].note == "timed out after 5 s"
    assert merged_gaps([dead]) == (Gap("worker", RUNTIME_PERFORMANCE, "timed out after 5 s"),)


def test_a_gap_that_all_workers_saw_is_listed_once(report: Callable[..., WorkerReport]) -> None:
    gap = Gap("unparsed", "app/broken.py", "syntax error at line 3")
    more = msgspec.structs.replace(gap, count=4)
    other = Gap("crashed-rule", "n-plus-one", "index out of range")
    assert merged_gaps([report(QUERY_EFFICIENCY, gaps=(gap, other)), report(RUNTIME_PERFORMANCE, gaps=(more,))]) == (
        other,
        more,
    )


def test_a_decision_in_force_makes_an_advisory(
    finding: Callable[..., Finding], report: Callable[..., WorkerReport]
) -> None:
    accepted = Decision("12", "Blocking I/O in app/jobs.py is fine", "Accepted", Source("docs/adr/adr-012.md", 1))
    superseded = msgspec.structs.replace(accepted, status="Superseded by ADR-13")
    covered = finding(contexts=("batch: file under jobs",))
    reports = [report(RUNTIME_PERFORMANCE, covered)]
    planned = aggregate(reports, Profile(root=".", decisions=(accepted,)))[2]
    assert planned.findings == ()
    assert planned.score == 10.0
    assert planned.advisories[0].severity == "HIGH"
    assert planned.advisories[0].advisory is not None
    assert planned.advisories[0].advisory.reason == "Planned: ADR-12"
    assert planned.advisories[0].advisory.original_severity == "HIGH"
    assert "docs/adr/adr-012.md:1" in planned.advisories[0].advisory.evidence[0]
    ignored = aggregate(reports, Profile(root=".", decisions=(superseded,)))[2]
    assert [each.severity for each in ignored.findings] == ["MEDIUM"]


def test_the_worst_come_first_and_the_hot_path_before_the_rest(finding: Callable[..., Finding]) -> None:
    cold, hot = finding(file="a.py"), finding(file="z.py", hot_path=True)
    slow, critical = finding(file="a.py", line=9, effort="L"), finding(file="z.py", severity="CRITICAL")
    assert worst_first([slow, cold, hot, critical]) == [critical, hot, cold, slow]


def test_among_equally_bad_ones_many_rules_are_shown(finding: Callable[..., Finding]) -> None:
    many = [finding(file=f"{number}.py") for number in range(5)]
    other, minor = finding(rule="n-plus-one", file="z.py"), finding(rule="list-allocation", severity="LOW")
    shown = worst_varied([*many, other, minor], 3)
    assert shown == [many[0], other, many[1]]
    assert worst_varied([minor, other], 10) == [other, minor]
