"""The task's description: the report with a marker by which it is found again, cut where it would be too long."""

from __future__ import annotations

import hashlib

from evenkeel.audit.tracker.task import Task

HEADING = "# Persistence & Performance Audit"  # how every description begins that evenkeel wrote


def token(task: Task) -> str:
    """What tells this task from those of other trees and days. It holds no path: the tree's name is hashed."""
    tree = hashlib.sha256(task.tree.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"evenkeel-audit-{tree}-{task.date}"


def description(task: Task, most: int) -> str:
    """At most `most` characters. The marker stands in a comment and, should comments be stripped, in the last line."""
    text = task.body.encode("utf-8", "backslashreplace").decode()  # names of files may hold what is no text
    last = f"\n\n---\n{task.tree or 'evenkeel'}, {task.date} · {token(task)}\n<!-- {token(task)} -->\n"
    if len(text) + len(last) <= most:
        return text.rstrip() + last
    total = text.count("\n")
    pointer = (
        "\n\n**Cut here: the first {shown:,} of {total:,} lines.** "
        "The whole report: `evenkeel audit . --output audit.md` in the audited tree."
    )
    room = most - len(last) - len(pointer) - 20
    kept = text[:room].rpartition("\n")[0]
    return kept.rstrip() + pointer.format(shown=kept.count("\n") + 1, total=total) + last


def is_ours(text: str | None) -> bool:
    """Whether evenkeel may write over this description: it is a report, or nothing at all."""
    return not text or text.lstrip().startswith(HEADING)


def of_another_tree(text: str | None, task: Task) -> bool:
    """Whether the description says that it is about another tree."""
    return "evenkeel-audit-" in (text or "") and token(task) not in (text or "")
