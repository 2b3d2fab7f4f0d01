"""Where a board's convention expects a task to be, and the line by which the board names it.

Boards come in three generations. All keep tasks below `docs/tasks/epics/epic-N-title/`; the first numbers them EP0_01, the
later ones T001. The board, `kanban_board.md`, lists them by status and epic and counts them in a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evenkeel.audit.model.profile import Board
from evenkeel.audit.tracker.task import Task
from evenkeel.kernel.errors import UsageError

BOARD = "kanban_board.md"
TASKS = Path("docs/tasks")
SLUG = "persistence-performance-audit"
DEFAULT_TITLE = "Common Tasks"

_OLD_ID = re.compile(r"EP\d+_\d+")
_NUMBER = re.compile(r"(?:EP0_|T)(?P<number>\d+)")
_HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<title>.*?)\s*$")
_EPIC_LINE = re.compile(r"^\*\*\W*Epic\s*(?P<number>\d+)\b")
_EMPTY_NOTE = re.compile(
    r"^\s*[-*]?\s*_?\(?\s*(?:empty|no (?:active|items|stories|tasks)\b.*)\)?_?\.?\s*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Place:
    """The task's file, and the board that should name it (None: there is none)."""

    file: Path
    identity: str  # T003, EP0_03
    board: Path | None
    is_new: bool


def keeps_tasks(root: Path) -> bool:
    """Whether there may be a place: told at a glance, before an audit. Boards lie at the root, or in one of its parts."""
    places = (TASKS / "epics", TASKS / BOARD, Path("docs") / BOARD, Path(BOARD))
    return any((root / each).exists() for each in places) or any(root.glob(f"*/{TASKS}/{BOARD}"))


def no_place() -> UsageError:
    """The tree keeps no tasks."""
    return UsageError(
        f"The tree has neither a {BOARD} nor a folder {TASKS}/epics, so there is no place for the task.",
        hint="Add --tracker-dir FOLDER.",
    )


def place(root: Path, board: Board | None, task: Task) -> Place:
    """Where the task of this day stands, or will. Raises UsageError when the tree keeps no tasks."""
    path = _board_file(root, board)
    home = path.parent if path else root / TASKS
    if path is None and not (home / "epics").is_dir():
        raise no_place()
    text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    folder = _epic_folder(home / "epics", board) / "tasks"
    _stay_inside(root, folder)
    there = sorted(folder.glob(f"*-{SLUG}-{task.date}.md"))
    if there:
        return Place(there[0], there[0].name.partition("-")[0], path, is_new=False)
    identity = _next_identity(text, [each.name for each in folder.glob("*.md")])
    return Place(folder / f"{identity}-{SLUG}-{task.date}.md", identity, path, is_new=True)


def listed(text: str, where: Place, task: Task, epic: str) -> str | None:
    """The board's text with a line for the task in its backlog, and its counter moved on; None when it has no backlog."""
    if where.board is None:
        return None
    link = where.file.relative_to(where.board.parent).as_posix()
    if link in text:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(newline)
    section = _section(lines, "backlog")
    if section is None:
        return None
    entry = f"  - [{where.identity} {task.title}]({link})"
    _insert(lines, section, entry, epic or f"{task.epic}: {DEFAULT_TITLE}")
    _count(lines, where.identity)
    return newline.join(lines)


def _board_file(root: Path, board: Board | None) -> Path | None:
    stated = [each.file for each in board.sources if each.file.endswith(BOARD)] if board else []
    path = root / (stated[0] if stated else TASKS / BOARD)
    if not path.is_file():
        return None
    _stay_inside(root, path)
    return path


def _stay_inside(root: Path, path: Path) -> None:
    if not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{path} leads out of the audited tree.", hint="Add --tracker-dir FOLDER.")


def _epic_folder(epics: Path, board: Board | None) -> Path:
    known = sorted(each for each in epics.glob("epic-0*") if each.is_dir() and re.match(r"epic-0(?:-|$)", each.name))
    if known:
        return known[0]
    title = board.epic.partition(":")[2].strip() if board else ""
    slug = re.sub(r"[^a-z0-9]+", "-", (title or DEFAULT_TITLE).lower()).strip("-")[:60]
    return epics / f"epic-0-{slug or 'common-tasks'}"


def _next_identity(text: str, names: Sequence[str]) -> str:
    """One more than the highest that is used, and at least what the board's counter says comes next."""
    cells = _counter(text.splitlines())
    used = [int(match["number"]) for name in names if (match := _NUMBER.match(name))]
    counted = [int(match["number"]) for cell in cells[-1:] if (match := _NUMBER.fullmatch(cell))]
    number = max([*(each + 1 for each in used), *counted, 1])
    return f"EP0_{number:02}" if _OLD_ID.search(text) else f"T{number:03}"


def _counter(lines: Sequence[str]) -> list[str]:
    row = next((each for each in lines if re.match(r"^\|\s*\**Epic 0\**\s*\|", each)), "")
    return [cell.strip().strip("*") for cell in row.strip().strip("|").split("|")] if row.count("|") >= 6 else []


def _section(lines: Sequence[str], title: str) -> tuple[int, int] | None:
    """The lines below a heading, up to the next of its level."""
    for number, line in enumerate(lines):
        heading = _HEADING.match(line)
        if heading and heading["title"].lower().startswith(title):
            level = len(heading["level"])
            ends = (
                index
                for index in range(number + 1, len(lines))
                if (other := _HEADING.match(lines[index])) and len(other["level"]) <= level
            )
            return number + 1, next(ends, len(lines))
    return None


def _insert(lines: list[str], section: tuple[int, int], entry: str, epic: str) -> None:
    start, end = section
    head = next(
        (index for index in range(start, end) if (m := _EPIC_LINE.match(lines[index])) and m["number"] == "0"), -1
    )
    if head < 0:
        empty = next((index for index in range(start, end) if _EMPTY_NOTE.match(lines[index])), -1)
        if empty >= 0:
            lines[empty : empty + 1] = [f"**{epic}**", "", entry]
        else:
            lines[start:start] = ["", f"**{epic}**", "", entry]
        return
    stop = next((i for i in range(head + 1, end) if _EPIC_LINE.match(lines[i]) or lines[i].startswith("---")), end)
    last = max((index for index in range(head, stop) if lines[index].strip()), default=head)
    lines[last + 1 : last + 1] = ["", entry] if last == head else [entry]


def _count(lines: list[str], identity: str) -> None:
    """Last and next task of Epic 0, where the board counts them in a row of five."""
    for index, line in enumerate(lines):
        cells = _counter([line])
        if len(cells) == 5:
            match = _NUMBER.fullmatch(identity)
            number = int(match["number"]) + 1 if match else 1
            following = f"EP0_{number:02}" if identity.startswith("EP") else f"T{number:03}"
            lines[index] = f"| {' | '.join([*cells[:3], identity, following])} |"
            return
