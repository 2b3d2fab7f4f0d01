"""The one task: what is in it, where the file tracker puts it, and what becomes of trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.audit.model.finding import CATEGORIES, WorkerReport
from evenkeel.audit.tracker import NoTracker, Receipt, Task, TrackerChoice, build_tracker, task_of
from evenkeel.kernel.errors import UsageError
from tests.audit_report.golden_result import golden_result


def test_the_task_has_title_labels_and_the_priority_of_the_worst_finding() -> None:
    task = task_of(golden_result(), "the report")
    assert task is not None
    assert task.title == "Persistence & Performance Audit: 2026-02-04"
    assert task.labels == ("refactoring", "performance", "audit")
    assert task.priority == 2
    assert task.body == "the report"


def test_nothing_found_is_no_task() -> None:
    clean = tuple(WorkerReport(worker, title, "completed", lines=9, files=1) for worker, title, _ in CATEGORIES)
    assert task_of(golden_result(clean), "the report") is None


def test_the_file_tracker_writes_one_file_a_day(tmp_path: Path) -> None:
    task = task_of(golden_result(), "# the report\n")
    assert task is not None
    folder = tmp_path / "made" / "here"
    for _ in range(2):
        receipt = file_tracker(tmp_path, folder, task)
    assert receipt.created
    (written,) = folder.iterdir()
    assert str(written) in receipt.note
    text = written.read_text(encoding="utf-8")
    assert text.startswith("# Persistence & Performance Audit: 2026-02-04\n\n**Status:** Backlog\n**Epic:** Epic 0\n")
    assert "**Priority:** 2 (high)" in text
    assert text.endswith("# the report\n")


def file_tracker(root: Path, folder: Path, task: Task) -> Receipt:
    return build_tracker(TrackerChoice("file", root, root / "state", {}, folder=folder)).create(task)


def test_no_tracker_says_how_to_get_a_task() -> None:
    task = task_of(golden_result(), "")
    assert task is not None
    receipt = NoTracker().create(task)
    assert not receipt.created
    assert "--tracker file" in receipt.note


def test_a_folder_that_cannot_be_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        build_tracker(TrackerChoice("file", tmp_path, tmp_path / "state", {}, folder=tmp_path / "taken" / "tasks"))
