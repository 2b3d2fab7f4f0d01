"""Execution context: how much evidence lowers what, and what is never lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evenkeel.audit.validation import evidence_kind, weigh_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from evenkeel.audit.model.finding import Finding

SET_UP = "inside set-up function `init_cache`"
SET_UP_TOO = "inside migrate command `Command.handle`"
JOB_FILE = "file under tasks/"
SAFEGUARD = "a time-out of 5 s is near"
SMALL = "small data: 12 items"


@pytest.mark.parametrize(
    ("evidence", "kind"),
    [
        (SET_UP, "set-up"),
        (SET_UP_TOO, "set-up"),
        ("runs once at start-up", "set-up"),
        ("inside bootstrap code", "set-up"),
        (JOB_FILE, "job-file"),
        ("file in a jobs folder", "job-file"),
        ("module is a cron script", "job-file"),
        (SAFEGUARD, "safeguard"),
        ("bounded by a semaphore", "safeguard"),
        (SMALL, "small-data"),
        ("file under 100 KB", "small-data"),
        ("inside `init_tasks`, small file", "small-data"),
        ("something else `x` 3", "something else"),
    ],
)
def test_evidence_has_one_kind(evidence: str, kind: str) -> None:
    assert evidence_kind(evidence) == kind


@pytest.mark.parametrize(
    ("contexts", "severity"),
    [
        ((), "HIGH"),
        ((SET_UP,), "MEDIUM"),
        ((SET_UP, SET_UP_TOO, SET_UP), "MEDIUM"),  # one kind, however often it is seen
        ((SET_UP, JOB_FILE), "MEDIUM"),
    ],
)
def test_one_or_two_kinds_lower_by_one(
    finding: Callable[..., Finding], contexts: tuple[str, ...], severity: str
) -> None:
    weighed = weigh_context(finding(contexts=contexts))
    assert weighed.severity == severity
    assert weighed.advisory is None
    if contexts:
        assert contexts[0] in weighed.issue  # the reader is told why


def test_three_kinds_make_an_advisory_that_keeps_its_severity(finding: Callable[..., Finding]) -> None:
    weighed = weigh_context(finding(contexts=(SET_UP, JOB_FILE, SMALL)))
    assert weighed.severity == "HIGH"
    assert weighed.advisory is not None
    assert weighed.advisory.reason == "execution-context"
    assert weighed.advisory.evidence == (SET_UP, JOB_FILE, SMALL)
    assert weighed.advisory.original_severity == "HIGH"


@pytest.mark.parametrize(
    ("before", "after"), [("CRITICAL", "HIGH"), ("HIGH", "MEDIUM"), ("MEDIUM", "LOW"), ("LOW", "LOW")]
)
def test_one_lower(finding: Callable[..., Finding], before: str, after: str) -> None:
    assert weigh_context(finding(severity=before, contexts=(SAFEGUARD,))).severity == after


@pytest.mark.parametrize(
    "rule",
    ["blocking-io-in-async", "cpu-bound-in-async", "redundant-fetch", "wide-transaction", "session-across-stream"],
)
def test_rules_that_context_lowers(finding: Callable[..., Finding], rule: str) -> None:
    assert weigh_context(finding(rule=rule, contexts=(SET_UP,))).severity == "MEDIUM"


@pytest.mark.parametrize(
    "rule",
    ["n-plus-one", "n-write-loop", "missing-rollback", "unclaimed-queue-read", "lock-across-await",
     "sync-sleep-in-async", "long-transaction", "unbounded-map"],
)  # fmt: skip
def test_all_other_rules_stay(finding: Callable[..., Finding], rule: str) -> None:
    untouched = finding(rule=rule, severity="CRITICAL", hot_path=True, contexts=(SET_UP, JOB_FILE, SMALL))
    assert weigh_context(untouched) == untouched
