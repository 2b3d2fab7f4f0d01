"""Rows to values. Both drivers hand out rows that can be indexed by position, in the column order of the `.sql`
files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, LastWords, TaskRecord, TaskStatus
from evenkeel.hotpath.ports.chat_log import ChatWindow, LoggedMessage
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, OutboxRecord, OutboxStatus
from evenkeel.hotpath.ports.sessions import ChatSession
from evenkeel.hotpath.ports.stream_events import Cursor, HistoryLost, LossReason
from evenkeel.hotpath.ports.threads import AgentThread, ThreadStatus
from evenkeel.hotpath.ports.users import UserAccount

Row = Sequence[Any]  # the drivers' rows are untyped


def claimed_tasks(rows: Iterable[Row]) -> list[ClaimedTask]:
    """Most urgent first: RETURNING promises no order, so rank and seq give it back."""
    ordered = sorted(rows, key=lambda row: (row[10], row[11]))
    return [ClaimedTask(*[*row[:9], max(0.0, row[9] - row[8]), bool(row[12])]) for row in ordered]


def task_record(row: Row) -> TaskRecord:
    """One row of the lists in tasks.sql."""
    return TaskRecord(row[0], row[1], row[2], row[3], TaskStatus(row[4]), *row[5:11])


def said_of(tasks: Sequence[TaskRecord], words: LastWords | None, sparing: str) -> tuple[bytes | None, list[bytes]]:
    """Of a session's tasks that are being cancelled: its last word, None where a run has one of its own, then what is said
    of each that will not be run.
    """
    waiting = [task for task in tasks if task.status is not TaskStatus.RUNNING]
    if words is None or not waiting:
        return None, []
    runs = any(task.status is TaskStatus.RUNNING and task.task_id != sparing for task in tasks)
    unbegun = (words.unbegun(task) for task in waiting)
    return None if runs else words.last, [each for each in unbegun if each is not None]


def claimed_messages(rows: Iterable[Row]) -> list[ClaimedMessage]:
    """In the order in which they fell due."""
    return [ClaimedMessage(*row[:11]) for row in sorted(rows, key=lambda row: (row[11], row[12]))]


def outbox_record(row: Row) -> OutboxRecord:
    """One row of failed_messages."""
    return OutboxRecord(row[0], row[1], row[2], row[3], OutboxStatus(row[4]), *row[5:9])


def chat_window(rows: Sequence[Row], limit: int) -> ChatWindow:
    """Newest first, one more than asked for when there are older ones -> oldest first."""
    messages = tuple(LoggedMessage(*row) for row in reversed(rows[:limit]))
    return ChatWindow(messages, complete=len(rows) <= limit)


def chat_session(row: Row) -> ChatSession:
    """One row of chat_sessions."""
    return ChatSession(*row)


def agent_thread(row: Row) -> AgentThread:
    """One row of agent_threads."""
    return AgentThread(row[0], row[1], row[2], row[3], ThreadStatus(row[4]), row[5])


def user_account(row: Row) -> UserAccount:
    """One row of user_accounts."""
    return UserAccount(*[*row[:11], bool(row[11]), *row[12:15]])


def start_of(cursor: Cursor, epoch: int) -> int:
    """The id to read after: a cursor into another history starts anew."""
    return cursor.event_id if cursor.epoch in {0, epoch} else 0


def loss_of(cursor: Cursor, epoch: int, pruned_to: int) -> HistoryLost | None:
    """What a reader at this cursor can no longer get."""
    if cursor.epoch not in {0, epoch}:
        return HistoryLost(1, cursor.event_id, LossReason.RESET)
    if cursor.event_id < pruned_to:
        return HistoryLost(cursor.event_id + 1, pruned_to, LossReason.AGED)
    return None
