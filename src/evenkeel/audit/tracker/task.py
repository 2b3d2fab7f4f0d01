"""The port of the trackers: the one task, what came of it, and who can create it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from evenkeel.audit.model.finding import SEVERITIES
from evenkeel.audit.model.profile import Board
from evenkeel.audit.model.result import AuditResult

LABELS = ("refactoring", "performance", "audit")
EPIC = "Epic 0"


class Task(msgspec.Struct, frozen=True, gc=False):
    """What is asked of a tracker. `priority`: 1 urgent, 2 high, 3 medium, 4 low, from the highest severity found."""

    title: str
    body: str  # Markdown
    priority: int
    date: str
    labels: tuple[str, ...] = LABELS
    epic: str = EPIC
    tree: str = ""  # what the audited tree is called: tells its task from those of other trees
    board: Board | None = None  # the tracker's coordinates, as the audited tree states them


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What came of it. `note` names the task, or says why there is none."""

    created: bool
    note: str


class Tracker(Protocol):
    """Where tasks live."""

    def create(self, task: Task) -> Receipt:
        """Create the task, or update the one of the same day. Raises an EvenkeelError that says what to do."""


def task_of(result: AuditResult, body: str, tree: str = "", board: Board | None = None) -> Task | None:
    """The task for a result, with the rendered report as its body; None when there is nothing to mend."""
    worst = next((each for each in SEVERITIES if result.counts.of(each)), None)
    if worst is None:
        return None
    title = f"Persistence & Performance Audit: {result.date}"
    priority = SEVERITIES.index(worst) + 1
    return Task(title=title, body=body, priority=priority, date=result.date, tree=tree, board=board)
