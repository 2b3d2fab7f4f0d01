"""`--tracker file` puts the task where a board of each generation expects it, and names it there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.tracker import Task
from evenkeel.audit.tracker.file import BoardTracker
from evenkeel.kernel.errors import UsageError

FIRST = """# Task Navigation

## Linear Configuration (use MCP Linear)

| Variable | Value | Description |
|---|---|---|
| **Team ID** | [TEAM_NAME] | Linear team name |

### Epic Story Counters

| Epic | Last Story | Next Story | Last Task | Next Task |
|------|------------|------------|-----------|-----------|
| Epic 0 | - | US001 | EP0_03 | EP0_04 |
| Epic 1+ | - | US001 | - | EP1_01 |

## Work in Progress

### Backlog

**Epic 0: Pier Upkeep**

  \N{OPEN BOOK} [HRB-3: US001 Pier log](https://linear.app/harbour/issue/HRB-3)
    _( tasks not created yet)_

**Epic 1: Berths**

  \N{OPEN BOOK} [HRB-4: US001 Berths](https://linear.app/harbour/issue/HRB-4)

### Todo
"""
SECOND = """# Task Navigation

## Provider Configuration

**Task provider:** file

### Common Configuration

| Variable | Value | Description |
|---|---|---|
| **Next Epic Number** | 4 | next |

### Epic Story Counters

| Epic | Last Story | Next Available |
|------|------------|----------------|
| Epic 0 | - | US001 |

### Backlog

_No items in Backlog_

### Done (Last 5 stories)
"""
THIRD = """# Task Navigation

## Agent Entry

| Signal | Value |
|---|---|
| Purpose | Gives live navigation |

## Provider Configuration

**Task provider:** Per `.hex-skills/environment_state.json`

## Epic Story Counters

| Epic | Last Story | Next Story | Last Task | Next Task |
|---|---|---|---|---|
| Epic 0 | - | US001 | - | T001 |

### Backlog

**Epic 1: Locks**

  - [US001 Lock cycle](epics/epic-1-locks/stories/us001-lock-cycle/story.md)

---
"""


def tree(root: Path, board: str) -> Path:
    (root / "docs/tasks").mkdir(parents=True)
    (root / "docs/tasks/kanban_board.md").write_text(board, encoding="utf-8")
    return root


def created(root: Path, task: Task) -> tuple[str, str]:
    """The receipt's note, and the board afterwards."""
    found = msgspec.structs.replace(task, board=discover(root).board)
    receipt = BoardTracker(root).create(found)
    assert receipt.created
    return receipt.note, (root / "docs/tasks/kanban_board.md").read_text(encoding="utf-8")


def test_the_first_generation(tmp_path: Path, task: Task) -> None:
    note, board = created(tree(tmp_path, FIRST), task)
    file = "epics/epic-0-pier-upkeep/tasks/EP0_04-persistence-performance-audit-2026-02-04.md"
    assert note == f"EP0_04 in docs/tasks/{file}, named in docs/tasks/kanban_board.md"
    text = (tmp_path / "docs/tasks" / file).read_text(encoding="utf-8")
    assert "\n**Status:** Backlog\n" in text
    assert text.endswith(task.body)
    line = f"  - [EP0_04 {task.title}]({file})"
    assert f"    _( tasks not created yet)_\n{line}\n\n**Epic 1: Berths**" in board
    assert "| Epic 0 | - | US001 | EP0_04 | EP0_05 |\n| Epic 1+ |" in board
    assert board.replace(f"{line}\n", "").replace("EP0_04 | EP0_05", "EP0_03 | EP0_04") == FIRST, "nothing else changed"


def test_the_second_generation(tmp_path: Path, task: Task) -> None:
    note, board = created(tree(tmp_path, SECOND), task)
    file = "epics/epic-0-common-tasks/tasks/T001-persistence-performance-audit-2026-02-04.md"
    assert note.startswith(f"T001 in docs/tasks/{file}")
    assert f"### Backlog\n\n**Epic 0: Common Tasks**\n\n  - [T001 {task.title}]({file})\n\n### Done" in board


def test_the_third_generation(tmp_path: Path, task: Task) -> None:
    folder = tree(tmp_path, THIRD) / "docs/tasks/epics/epic-0-infrastructure/tasks"
    folder.mkdir(parents=True)
    (tmp_path / "docs/tasks/epics/epic-01-not-this").mkdir()
    (folder / "T006-pier.md").write_text("x")
    note, board = created(tmp_path, task)
    assert note.startswith(
        "T007 in docs/tasks/epics/epic-0-infrastructure/tasks/T007-persistence-performance-audit-2026"
    )
    assert "### Backlog\n\n**Epic 0: Common Tasks**\n\n  - [T007 " in board
    assert "| Epic 0 | - | US001 | T007 | T008 |" in board


@pytest.mark.parametrize("board", [FIRST, SECOND, THIRD])
def test_a_second_run_replaces_the_file_and_leaves_the_board(tmp_path: Path, task: Task, board: str) -> None:
    first, named = created(tree(tmp_path, board), task)
    second, after = created(tmp_path, msgspec.structs.replace(task, body="# Another\n"))
    assert second == first.partition(",")[0]
    assert after == named
    (file,) = (tmp_path / "docs/tasks/epics").rglob("*.md")
    assert file.read_text(encoding="utf-8").endswith("# Another\n")
    third, _ = created(tmp_path, msgspec.structs.replace(task, date="2026-02-05"))
    assert third.split()[0] != first.split()[0], "another day has another number"


def test_line_ends_are_kept(tmp_path: Path, task: Task) -> None:
    root = tree(tmp_path, "")
    (root / "docs/tasks/kanban_board.md").write_bytes(THIRD.replace("\n", "\r\n").encode())
    created(root, task)
    board = (root / "docs/tasks/kanban_board.md").read_bytes()
    assert b"[T001 " in board
    assert board.count(b"\n") == board.count(b"\r\n")


def test_a_board_without_a_backlog_is_left_alone(tmp_path: Path, task: Task) -> None:
    note, board = created(tree(tmp_path, "# Board\n\n**Task provider:** file\n"), task)
    assert "has no backlog to name it in" in note
    assert board == "# Board\n\n**Task provider:** file\n"


def test_a_tree_without_tasks_needs_a_folder(tmp_path: Path, task: Task) -> None:
    with pytest.raises(UsageError, match="no place for the task") as caught:
        BoardTracker(tmp_path).create(msgspec.structs.replace(task, board=None))
    assert "--tracker-dir" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_outside_the_tree(tmp_path: Path, task: Task) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    tree(root, THIRD)
    (root / "docs/tasks/epics").symlink_to(outside)
    with pytest.raises(UsageError, match="leads out of the audited tree"):
        created(root, task)
    assert list(outside.iterdir()) == []


def test_a_dry_run_writes_nothing(tmp_path: Path, task: Task) -> None:
    shown: list[str] = []
    root = tree(tmp_path, THIRD)
    receipt = BoardTracker(root, shown.append).create(msgspec.structs.replace(task, board=discover(root).board))
    assert not receipt.created
    assert "T001-persistence" in shown[0]
    assert not (root / "docs/tasks/epics").exists()
    assert (root / "docs/tasks/kanban_board.md").read_text(encoding="utf-8") == THIRD
