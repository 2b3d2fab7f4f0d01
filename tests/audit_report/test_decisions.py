"""Which recorded decisions cover which findings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evenkeel.audit.decisions import covering_decision, excuses, in_force, label
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.profile import Decision, Source

PLACE = Source("docs/reference/adrs/adr-012.md", 1)


def _decision(title: str, text: str = "", status: str = "Accepted") -> Decision:
    return Decision("12", title, status, PLACE, text)


def _covering(finding: Finding, decision: Decision, *technologies: str) -> Decision | None:
    return covering_decision(finding, excuses(finding.rule, [decision]), frozenset(technologies))


def _import_job(finding: Callable[..., Finding]) -> Finding:
    return finding(
        rule="wide-transaction",
        file="app/jobs/nightly_import.py",
        function="app.jobs.nightly_import.Importer.run",
        issue="the transaction stays open while `fetch_page` waits for the network",
        recommendation="Fetch first, then open the transaction.",
    )


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Keep one long transaction for the nightly import", ""),
        ("Import design", "We hold a long transaction in app/jobs/nightly_import.py.\nAll or nothing."),
        ("Import design", "`nightly_import.py` runs as one transaction."),
        ("Import design", "Rows come in from nightly_import.py. We keep one long transaction."),
        ("Import design", "One transaction in Importer.run keeps the import atomic."),
        ("Audit exceptions", "wide-transaction is accepted in jobs/nightly_import.py"),
        ("Audit exceptions", "We accept wide-transaction for the time being."),
    ],
)
def test_covered(finding: Callable[..., Finding], title: str, text: str) -> None:
    assert _covering(_import_job(finding), _decision(title, text)) is not None


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Use PostgreSQL", "Row locks are needed."),
        ("Keep one long transaction for billing", ""),
        ("Avoid long transactions in the nightly import", ""),
        ("Import design", "Never hold one long transaction in app/jobs/nightly_import.py."),
        ("Import design", "A long transaction is used.\nSee app/jobs/billing.py."),
        ("Audit exceptions", "wide-transaction is accepted in app/jobs/billing.py"),
        ("Audit exceptions", "wide-transaction-extra is accepted"),
        ("Nightly import", "It runs at two in the morning."),
        ("Import", "## Alternatives Considered\nOne long transaction in app/jobs/nightly_import.py.\n## Links\nNone."),
        ("Import design", "See app/jobs/nightly_import.py.\nOne long transaction in app/jobs/billing.py."),
    ],
)
def test_not_covered(finding: Callable[..., Finding], title: str, text: str) -> None:
    assert _covering(_import_job(finding), _decision(title, text)) is None


def test_a_technology_in_the_title_is_enough_with_the_idea(finding: Callable[..., Finding]) -> None:
    polled = finding(
        rule="db-poll-loop", issue="`pending` is queried every second", recommendation="Wake by LISTEN/NOTIFY."
    )
    decision = _decision("Poll instead of LISTEN")
    assert _covering(polled, decision) == decision
    assert _covering(finding(rule="n-plus-one"), decision) is None
    redis = _decision("Poll Redis")
    assert _covering(polled, redis, "redis") is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Accepted", True),
        ("accepted (2026-01-09)", True),
        ("Approved", True),
        ("planned", True),
        ("Superseded by ADR-9", False),
        ("Accepted, superseded by ADR-9", False),
        ("Rejected", False),
        ("Deprecated", False),
        ("Proposed", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_only_decisions_in_force_count(status: str, *, expected: bool) -> None:
    assert in_force(_decision("t", status=status)) is expected


def test_label() -> None:
    assert label(_decision("Poll")) == "Planned: ADR-12"
    assert label(Decision("", "Batch writes in spring", "planned", PLACE)) == "Planned: Batch writes in spring"


def test_a_file_name_that_many_folders_have_needs_its_folder(finding: Callable[..., Finding]) -> None:
    models = finding(rule="wide-transaction", file="app/jobs/models.py", function="app.jobs.models.save")
    assert _covering(models, _decision("Saving", "One long transaction in models.py.")) is None
    assert _covering(models, _decision("Saving", "One long transaction in jobs/models.py.")) is not None
