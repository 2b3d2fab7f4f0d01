"""The task as a Markdown file: in a folder of the user's choice, else where the tree's board expects it.

A second run on the same day replaces the file. This is the one thing that an audit ever writes into the audited tree, and
only with `--tracker file`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evenkeel.audit.tracker.convention import SLUG, Place, listed, place
from evenkeel.audit.tracker.task import Receipt, Task
from evenkeel.kernel.errors import UsageError

_PRIORITIES = {1: "urgent", 2: "high", 3: "medium", 4: "low"}


def checked_folder(folder: Path) -> Path:
    """The folder, made if need be, before anything is spent on a run. Raises UsageError when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK):
        raise _unwritable(folder, OSError(errno.EACCES, os.strerror(errno.EACCES)))
    return folder


@dataclass(frozen=True, slots=True)
class FolderTracker:
    """Writes `persistence-performance-audit-YYYY-MM-DD.md` into `folder`. `show`: a dry run, nothing is written."""

    folder: Path
    show: Callable[[str], None] | None = None

    def create(self, task: Task) -> Receipt:
        """Raises UsageError when the folder cannot be written."""
        path = self.folder / f"{SLUG}-{task.date}.md"
        if self.show:
            return _shown(self.show, path, task)
        _write(path, content(task))
        return Receipt(created=True, note=f"{task.title} in {path}")


@dataclass(frozen=True, slots=True)
class BoardTracker:
    """Writes the task below the board's folder in the audited tree, and names it on the board."""

    root: Path
    show: Callable[[str], None] | None = None

    def create(self, task: Task) -> Receipt:
        """Raises UsageError when the tree keeps no tasks, or they cannot be written."""
        where = place(self.root, task.board, task)
        if self.show:
            return _shown(self.show, where.file, task)
        try:
            where.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(where.file.parent, error) from error
        _write(where.file, content(task))
        inside = where.file.relative_to(self.root).as_posix()
        return Receipt(created=True, note=f"{where.identity} in {inside}{self._named(where, task)}")

    def _named(self, where: Place, task: Task) -> str:
        """Names it on the board, and says so."""
        if where.board is None or not where.is_new:
            return ""
        try:
            text = where.board.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return "; the board cannot be read, so it does not name it"
        after = listed(text, where, task, task.board.epic if task.board else "")
        name = where.board.relative_to(self.root).as_posix()
        if after is None:
            return f"; {name} has no backlog to name it in"
        if after != text:
            _write(where.board, after, newline="")
        return f", named in {name}"


def content(task: Task) -> str:
    """The file's text: title, one line for each of the task's properties, then the report."""
    head = [
        f"# {task.title}",
        "",
        "**Status:** Backlog",
        f"**Epic:** {task.epic}",
        f"**Labels:** {', '.join(task.labels)}",
        f"**Priority:** {task.priority} ({_PRIORITIES[task.priority]})",
        f"**Created:** {task.date}",
        "",
    ]
    return "\n".join([*head, task.body])


def _shown(show: Callable[[str], None], path: Path, task: Task) -> Receipt:
    show(f"{path}\n\n{content(task)}")
    return Receipt(created=False, note=f"dry run: what {path} would hold was printed, not written")


def _write(path: Path, text: str, newline: str = "\n") -> None:
    """Whole or not at all: a board that is cut off half-way is worse than one without a line."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline=newline)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The task cannot be written to {path}: {error.strerror}.",
        hint="Choose a folder that can be written with --tracker-dir, or leave --tracker out.",
    )
