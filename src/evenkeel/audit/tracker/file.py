"""The task as a Markdown file in a folder of the user's choice. A second run on the same day replaces the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

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


class FileTracker:
    """Writes `persistence-performance-audit-YYYY-MM-DD.md` into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, task: Task) -> Receipt:
        """Raises UsageError when the folder cannot be written."""
        path = self._folder / f"persistence-performance-audit-{task.date}.md"
        try:
            path.write_text(content(task), encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise _unwritable(path, error) from error
        return Receipt(created=True, note=f"{task.title} in {path}")


def content(task: Task) -> str:
    """The file's text: title, one line for each of the task's properties, then the report."""
    head = [
        f"# {task.title}",
        "",
        "**Status:** Backlog",
        f"**Epic:** {task.epic}",
        f"**Labels:** {', '.join(task.labels)}",
        f"**Priority:** {task.priority} ({_PRIORITIES[task.priority]})",
        "",
    ]
    return "\n".join([*head, task.body])


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The task cannot be written to {path}: {error.strerror}.",
        hint="Choose a folder that can be written with --tracker-dir, or leave --tracker out.",
    )
