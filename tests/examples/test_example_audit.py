"""The audit of the examples: the three faults are found where they are, and the mended twin is clean."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from evenkeel.audit.model.finding import CATEGORIES
from evenkeel.audit.pipeline import AuditOptions, audit
from tests.examples.conftest import EXAMPLES

if TYPE_CHECKING:
    from evenkeel.audit.model.finding import Finding
    from evenkeel.audit.model.result import AuditResult

PROCESSOR = "app/services/job_processor.py"


@cache
def audited(name: str) -> AuditResult:
    return audit(EXAMPLES / name, AuditOptions(date="2026-02-04", use_cache=False))


def found(rule: str) -> list[Finding]:
    findings = [each for category in audited("job_board").categories for each in category.findings]
    return [each for each in findings if each.rule == rule and each.file == PROCESSOR]


def line_of(text: str, after: str = "") -> int:
    lines = (EXAMPLES / "job_board" / PROCESSOR).read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if after in line)
    return next(number for number, line in enumerate(lines[start:], start + 1) if text in line)


def test_an_entity_fetched_again_is_found() -> None:
    finding = found("redundant-fetch")[0]
    assert finding.confidence == "definite"
    lines = {finding.line, *(step.line for step in finding.path if step.file == PROCESSOR)}
    assert line_of("jobs.get(job_id)", after="async def _files") in lines


def test_progress_without_commits_is_found() -> None:
    finding = found("missing-intermediate-commit")[0]
    assert finding.severity == "CRITICAL"
    assert finding.line <= line_of("jobs.set_progress") <= finding.end_line


def test_blocking_io_is_found() -> None:
    assert line_of("read_bytes()") in {each.line for each in found("blocking-io-in-async")}


@pytest.mark.parametrize("number", range(len(CATEGORIES)))
def test_every_category_has_findings(number: int) -> None:
    category = audited("job_board").categories[number]
    assert category.status == "completed"
    assert category.findings


def test_the_mended_twin_is_clean() -> None:
    categories = audited("job_board_fixed").categories
    assert [category.status for category in categories] == ["completed"] * 3
    assert [each for category in categories for each in category.findings] == []
