"""Execution context: how much evidence lowers what, and what is never lowered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.validation import weigh_context

SET_UP = "set-up: app.db.init_cache"
SET_UP_TOO = "set-up: app.cli.migrate"
JOB_FILE = "batch: file under tasks/purge.py"
SAFEGUARD = "safeguard: a time-out surrounds it"
SMALL = "small data: 12 items"


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


ONCE = "once: a migration"


@pytest.mark.parametrize("rule", ["n-plus-one", "n-write-loop", "missing-bulk", "over-fetching"])
def test_code_that_runs_once_is_an_advisory(finding: Callable[..., Finding], rule: str) -> None:
    weighed = weigh_context(finding(rule=rule, severity="LOW", contexts=(SET_UP, ONCE)))
    assert weighed.severity == "LOW"
    assert weighed.advisory is not None
    assert weighed.advisory.reason == "runs-once"
    assert weighed.advisory.evidence == (ONCE,)


@pytest.mark.parametrize("rule", ["narrow-transaction", "unclaimed-queue-read", "unclosed-connection"])
def test_what_goes_wrong_once_is_still_wrong(finding: Callable[..., Finding], rule: str) -> None:
    weighed = weigh_context(finding(rule=rule, severity="HIGH", contexts=(ONCE,)))
    assert weighed.severity == "HIGH"
    assert weighed.advisory is None


def test_that_it_runs_once_is_no_further_kind_of_evidence(finding: Callable[..., Finding]) -> None:
    weighed = weigh_context(finding(rule="wide-transaction", severity="HIGH", contexts=(SET_UP, JOB_FILE, ONCE)))
    assert weighed.severity == "MEDIUM"
    assert weighed.advisory is None


@pytest.mark.parametrize(
    ("evidence", "spared"),
    [
        ("once: start-up itself, before requests come", True),
        ("once: reached only from start-up, command line or migration", False),
    ],
)
def test_what_blocks_is_spared_only_before_requests_come(
    finding: Callable[..., Finding], evidence: str, spared: bool
) -> None:
    weighed = weigh_context(finding(rule="blocking-io-in-async", severity="LOW", contexts=(SET_UP, evidence)))
    assert (weighed.advisory is not None) is spared
    assert weighed.severity == "LOW"
