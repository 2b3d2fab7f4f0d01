"""The six phases over a real tree: what a run answers, and what a failing part costs."""

from __future__ import annotations

import gc
import multiprocessing
from pathlib import Path
from typing import NoReturn

import pytest

from evenkeel.audit import discovery, pipeline
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.pipeline import PHASES, AuditOptions, audit
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import FEW_FILES
from evenkeel.audit.tracker import Receipt, Task
from evenkeel.kernel.errors import UnavailableError, UsageError

SOURCE = """
import time


async def wait() -> None:
    time.sleep(1)
    open("a.txt").read()
"""
ITEMS = [
    "Stack discovered",
    "Database metadata extracted",
    "Best practices researched",
    "Context store built and passed",
    "All three workers ran in parallel and finished",
    "Results aggregated, sorted by severity",
    "Score per category and overall",
    "Executive summary",
    "Tracker task created",
    "Sources listed with URLs",
]


class Board:
    """A tracker that keeps its tasks, or has none to give."""

    def __init__(self, *, works: bool) -> None:
        self.tasks: list[Task] = []
        self._works = works

    def create(self, task: Task) -> Receipt:
        if not self._works:
            raise UnavailableError("The board did not answer.", hint="Try again later.")
        self.tasks.append(task)
        return Receipt(created=True, note="TASK-1")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "requirements.txt").write_text("sqlalchemy==2.0.31\npsycopg==3.2\n")
    (root / "app.py").write_text(SOURCE)
    return root


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _item(result: AuditResult, name: str) -> tuple[bool, str]:
    return next((each.done, each.note) for each in result.definition_of_done if each.item == name)


def test_the_phases_are_those_of_the_audit_in_order() -> None:
    assert [each.__name__ for each in PHASES] == [
        "discovery",
        "research",
        "context",
        "delegation",
        "aggregation",
        "tracking",
    ]


def test_a_run_ticks_its_definition_of_done(tree: Path) -> None:
    board, seen = Board(works=True), list[tuple[str, int, int]]()
    options = AuditOptions(date="2026-02-04", tracker=board)
    result = audit(tree, options, lambda what, done, total: seen.append((what, done, total)))
    assert [each.item for each in result.definition_of_done] == ITEMS
    assert all(each.done for each in result.definition_of_done), result.definition_of_done
    assert {"blocking-io-in-async"} <= {each.rule for each in result.findings}
    assert result.context["tech_stack"]["orm"] == "sqlalchemy"
    assert {each.provider for each in result.sources} == {"handbook"}
    assert all(each.fingerprint for each in result.findings)
    assert (result.files, result.categories[0].files) == (1, 1)
    (task,) = board.tasks
    assert task.title == "Persistence & Performance Audit: 2026-02-04"
    assert "- [x] Tracker task created" in task.body
    assert {what for what, _, _ in seen} >= {each.__name__ for each in PHASES}
    assert all(0 <= done <= total for _, done, total in seen)


def test_a_tracker_that_fails_costs_the_task_alone(tree: Path) -> None:
    result = audit(tree, AuditOptions(date="2026-02-04", tracker=Board(works=False)))
    assert result.findings
    assert _item(result, "Tracker task created") == (False, "The board did not answer. Try again later.")


def test_no_findings_is_no_task(tree: Path) -> None:
    (tree / "app.py").write_text("NAME = 1\n")
    board = Board(works=True)
    result = audit(tree, AuditOptions(date="2026-02-04", tracker=board))
    assert (board.tasks, result.overall_score) == ([], 10.0)
    assert _item(result, "Tracker task created") == (False, "nothing to mend, so no task")


def test_workers_that_time_out_leave_a_result_that_says_so(tree: Path) -> None:
    settings = AuditSettings(timeout=0.000001)
    result = audit(tree, AuditOptions(date="2026-02-04", settings=settings))
    assert [each.status for each in result.categories] == ["failed"] * 3
    assert result.overall_score is None
    done, note = _item(result, "All three workers ran in parallel and finished")
    assert not done
    assert "Query Efficiency: timed out" in note
    assert {each.kind for each in result.gaps} >= {"worker"}


def test_an_unknown_rule_is_refused_before_anything_runs(tree: Path) -> None:
    seen: list[str] = []
    options = AuditOptions(date="2026-02-04", settings=AuditSettings(ignore=("nonsense",)))
    with pytest.raises(UsageError, match="no rule or category 'nonsense'"):
        audit(tree, options, lambda what, done, total: seen.append(what))
    assert seen == []


def _grow(tree: Path) -> None:
    for number in range(FEW_FILES):
        (tree / f"more_{number}.py").write_text("import time\n\n\nasync def wait():\n    time.sleep(1)\n")


def test_discovery_beside_the_reading_finds_the_same(tree: Path) -> None:
    small = audit(tree, AuditOptions(date="2026-02-04"))
    _grow(tree)
    large = audit(tree, AuditOptions(date="2026-02-04"))
    assert large.context["tech_stack"] == small.context["tech_stack"]
    assert large.files == small.files + FEW_FILES
    again = audit(tree, AuditOptions(date="2026-02-04"))
    assert [each.fingerprint for each in again.findings] == [each.fingerprint for each in large.findings]


@pytest.mark.parametrize("files", ["few", "many"])
def test_what_discovery_raises_is_raised(tree: Path, files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: Path) -> NoReturn:
        raise UsageError(f"{root.name} cannot be looked at.", hint="Look elsewhere.")

    monkeypatch.setattr(discovery, "discover", broken)
    if files == "many":
        _grow(tree)
    with pytest.raises(UsageError, match="cannot be looked at"):
        audit(tree, AuditOptions(date="2026-02-04"))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("room", "name"), [(discovery, "discover"), (pipeline, "ask")])
def test_what_was_read_before_a_phase_failed_is_kept(
    tree: Path, room: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> NoReturn:
        raise UsageError("This phase fails.", hint="Try again.")

    monkeypatch.setattr(room, name, broken)
    _grow(tree)
    with pytest.raises(UsageError, match="This phase fails"):
        audit(tree, AuditOptions(date="2026-02-04"))
    gc.collect()  # a connection left open would warn
    with FactsCache.open() as cache:
        cache.known(str(tree))
        assert cache.may_hold("app.py", len(SOURCE))
