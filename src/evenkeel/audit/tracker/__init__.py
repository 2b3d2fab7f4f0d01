"""One tracker task per run, never more, with the whole report in it. A tracker creates it or says why it did not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from evenkeel.audit.tracker.file import FileTracker, checked_folder
from evenkeel.audit.tracker.task import Receipt, Task, Tracker, task_of
from evenkeel.kernel.errors import UsageError

__all__ = ["TRACKERS", "NoTracker", "Receipt", "Task", "Tracker", "TrackerName", "build_tracker", "task_of"]

TrackerName = Literal["none", "file"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)


class NoTracker:
    """Creates nothing, and says how to get a task."""

    def create(self, task: Task) -> Receipt:  # noqa: ARG002 - the port's signature
        """Never creates a task."""
        return Receipt(created=False, note="not asked for; run with --tracker file --tracker-dir FOLDER")


def build_tracker(name: TrackerName, folder: Path | None = None) -> Tracker:
    """The tracker of that name. Raises UsageError when something it needs was not given."""
    if name == "none":
        return NoTracker()
    if folder is None:
        raise UsageError("The file tracker needs a folder for the task.", hint="Add --tracker-dir FOLDER.")
    return FileTracker(checked_folder(folder))
