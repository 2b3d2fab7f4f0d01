"""Stream events: what a session said, in order, for ever the same under the same id.

Numbers:

- `event_id`: 1, 2, 3 … per session; ids rise for ever, through restarts, crashes and clean-ups. Not every id is stored
  (some event types are sent live only): ids serve order, de-duplication and cursors, nothing else.
- `term`: rises each time a run opens the stream. One writer per term; opening fences the writer before.
- `epoch`: the generation of the session's history. A cursor of another epoch points into a history that is gone.

How ids outlive a crash: opening *reserves* ids ahead (`reserved_to`), and a writer hands out none above that before a
later append has moved it up. A successor starts above everything its predecessor may have shown to anyone, stored or
not. Closing in order gives the unused rest back, so ids are gap-free as long as nobody crashes.

One stream has one writer. Whoever else has something to say in it (a queue event while a run is active) *posts*: the
writer takes the post into its own order, or, while no writer is at work, the post is appended at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

RESERVE_AHEAD = 4096
"""Ids reserved beyond the last stored one; a writer flushes before it has this many unflushed events of a session."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A reader's place: it has everything up to `event_id`. `epoch` 0 = the client does not know it (no check)."""

    session_id: str
    event_id: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class TaskFence:
    """The task and attempt on whose behalf events are written."""

    task_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StreamHead:
    """An open stream: number events from `next_id` up to `reserved_to` under `term`."""

    session_id: str
    epoch: int
    term: int
    next_id: int
    reserved_to: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as stored: `payload` is the exact bytes that were appended."""

    event_id: int
    payload: bytes
    stored_at: float


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What one writer appends to one session: `event_ids` rising, `payloads` in the same order, equal lengths.

    `last_id` is the highest id handed out so far, stored or not. `closing` ends the term: the last event is its
    terminal event. `reserve_to` moves the reservation up; None leaves it. `posts` are the post ids that this batch
    contains.
    """

    session_id: str
    user_id: str
    term: int
    event_ids: Sequence[int]
    payloads: Sequence[bytes]
    last_id: int
    reserve_to: int | None = None
    closing: bool = False
    fence: TaskFence | None = None
    posts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """`stored` events are durable (repeats count once). `fenced` sessions wrote nothing: their writer must stop."""

    stored: int
    fenced: frozenset[str]


@dataclass(frozen=True, slots=True)
class Post:
    """Something another writer wants said in a stream."""

    post_id: int
    session_id: str
    payload: bytes


class LossReason(Enum):
    """Why part of the history cannot be read any more."""

    AGED = "aged"
    """Removed by age: `first_id` to `last_id` are gone."""
    RESET = "reset"
    """The session was deleted and made anew: the cursor's epoch is gone with all its events."""


@dataclass(frozen=True, slots=True)
class HistoryLost:
    """The reader is told: ids `first_id` to `last_id` (inclusive) existed, or may have, and can no longer be read."""

    first_id: int
    last_id: int
    reason: LossReason


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a session's history, in id order.

    `last_id` = highest id that was ever stored; `more` = there are further stored events behind this page; `open` = a
    run is writing, or died writing: check that something is alive. `lost` is set when events after the cursor are
    gone.
    """

    session_id: str
    epoch: int
    events: tuple[StoredEvent, ...]
    last_id: int
    more: bool
    open: bool
    lost: HistoryLost | None = None


class StreamEvents(Protocol):
    """The tables `stream_events` (immutable rows) and `event_streams` (one row a session)."""

    async def open(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> StreamHead:
        """Begin a term. Raises `FencedError` if the fence's attempt is over, `StoppedError` if its task was told to stop,
        `UnknownSessionError` for a stream of another user.

        Not repeatable in the narrow sense: each call begins a new term, which is harmless.
        """
        ...

    async def append(self, batches: Sequence[EventBatch]) -> Appended:
        """Store many events of many sessions at once; a fenced session does not stop the others. Repeatable: a row that
        is there with the same bytes counts as stored.

        Raises `OffsetTakenError` when an id holds other bytes, `OversizedError` for a payload over the bound.
        """
        ...

    async def settle(self, session_id: str, payload: bytes, *, term: int | None = None) -> int | None:
        """Close an open stream from outside, with `payload` as its terminal event, and fence its writer. With `term`, that
        of an earlier look, only if it is still that one.

        Answers the event's id, or None if the stream was already closed (its own terminal event stands). So of a writer
        that finishes and a canceller that settles, exactly one stores a terminal event. Repeatable.
        """
        ...

    async def post(self, session_id: str, user_id: str, payload: bytes) -> int | None:
        """Say something in a stream that another run may be writing.

        Appends at once and answers the event id while no run is open; else keeps the post for the open run and answers
        None (then wake its instance on the channel `posts`). Raises as `open`.
        """
        ...

    async def posts(self, session_ids: Sequence[str]) -> list[Post]:
        """What waits for the writers of these sessions, oldest first; gone once a batch that names them is appended."""
        ...

    async def read(self, cursor: Cursor, *, limit: int = 500, user_id: str | None = None) -> Page:
        """Up to `limit` events after the cursor. `user_id` None = whoever asks was checked elsewhere, else
        `UnknownSessionError` for a stream of another user. A session without a stream yields an empty page, epoch 0.
        """
        ...

    async def read_tail(self, session_id: str, *, limit: int = 500, user_id: str | None = None) -> Page:
        """The last `limit` events: a window, never everything."""
        ...

    async def read_many(self, cursors: Sequence[Cursor], *, limit_each: int = 200) -> dict[str, Page]:
        """One read for all sessions that this instance watches; sessions without anything new are left out."""
        ...

    async def forget(self, session_id: str) -> None:
        """Delete a session's whole history; a later stream of the same id gets another epoch."""
        ...

    async def prune(self, older_than_s: float, *, max_sessions: int = 50, max_rows: int = 5000) -> int:
        """Remove events by age, in parts, and remember per session up to where; answers the rows removed. For the
        janitor alone: nothing else ever deletes an event of a living session.
        """
        ...
