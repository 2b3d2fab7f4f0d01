"""Findings and worker reports that the tests of this folder are made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from evenkeel.audit.model.finding import CATEGORIES, Finding, WorkerReport

_PLAIN = Finding(
    rule="blocking-io-in-async",
    severity="HIGH",
    confidence="definite",
    file="app/jobs.py",
    line=40,
    end_line=40,
    function="app.jobs.process",
    issue="`read_bytes` blocks the event loop",
    recommendation="Read the file with `asyncio.to_thread`.",
    effort="S",
)


def _finding(**changes: Any) -> Finding:
    return msgspec.structs.replace(_PLAIN, **changes)


def _report(worker: str, *findings: Finding, **changes: Any) -> WorkerReport:
    title = next(title for name, title, _ in CATEGORIES if name == worker)
    plain = WorkerReport(worker, title, "completed", findings, lines=2_000, files=20)
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """Makes a plain finding, changed as the keywords say."""
    return _finding


@pytest.fixture
def report() -> Callable[..., WorkerReport]:
    """Makes a completed report of a worker, over 2,000 lines in 20 files."""
    return _report
