"""One tracker task per run, never more, with the whole report in it. A tracker creates it or says why it did not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from evenkeel.audit.model.settings import TrackerSettings
from evenkeel.audit.tracker.convention import keeps_tasks, no_place
from evenkeel.audit.tracker.file import BoardTracker, FolderTracker, checked_folder
from evenkeel.audit.tracker.task import Receipt, Task, Tracker, task_of

__all__ = [
    "TRACKERS",
    "NoTracker",
    "Receipt",
    "Task",
    "Tracker",
    "TrackerChoice",
    "TrackerName",
    "build_tracker",
    "task_of",
]

TrackerName = Literal["none", "file", "linear"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)
ADDRESS_VARIABLE = "EVENKEEL_LINEAR_URL"  # never a setting of the audited tree: the key goes there


class NoTracker:
    """Creates nothing, and says how to get a task."""

    def create(self, task: Task) -> Receipt:  # noqa: ARG002 - the port's signature
        """Never creates a task."""
        return Receipt(created=False, note="not asked for; run with --tracker linear or --tracker file")


@dataclass(frozen=True, slots=True)
class TrackerChoice:
    """Which tracker, and what it needs. `show`: where a dry run prints what it would send; None: it is no dry run."""

    name: TrackerName
    root: Path
    state: Path  # a folder of the user's, outside the audited tree
    environment: Mapping[str, str]
    settings: TrackerSettings = field(default_factory=TrackerSettings)
    folder: Path | None = None  # for `file`: None: where the tree's board expects it
    show: Callable[[str], None] | None = None


def build_tracker(choice: TrackerChoice) -> Tracker:
    """The tracker. Raises UsageError, before anything is audited, when something it needs is missing."""
    if choice.name == "none":
        return NoTracker()
    if choice.name == "linear":
        return _linear(choice)
    if choice.folder is None:
        if not keeps_tasks(choice.root):
            raise no_place()
        return BoardTracker(choice.root, choice.show)
    return FolderTracker(choice.folder if choice.show else checked_folder(choice.folder), choice.show)


def _linear(choice: TrackerChoice) -> Tracker:
    from evenkeel.audit.tracker.linear import LinearTracker, key, record, transport  # noqa: PLC0415 - loads HTTP

    address = transport.checked_address(choice.environment.get(ADDRESS_VARIABLE) or transport.ADDRESS)
    api = transport.Api(key.find_key(choice.environment), address)
    return LinearTracker(api, record.Records(choice.state), choice.settings, choice.show)
