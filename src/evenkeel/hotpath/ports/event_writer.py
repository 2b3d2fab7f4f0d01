"""The event writer: numbers what a run says, shows it live, stores it in batches.

One `RunWriter` per run and session. An event gets its id, goes to the bus at once, and is stored with others: when a
batch is large enough or old enough, whichever comes first. Order within a session is the order of `emit`, in memory
and in storage; there is no side path around the buffer, not even when it is full: then `emit` waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from evenkeel.hotpath.ports.bus import Event
from evenkeel.hotpath.ports.stream_events import TaskFence


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has an id. `data` is encoded once, with the id and the envelope around it.

    `stored` False = shown live only. `terminal` = ends the run's term: stored before `emit` returns.
    `text_bytes` > 0 marks a delta that may be joined with its neighbours into one stored row of segments.
    """

    kind: str
    data: object
    stored: bool = True
    terminal: bool = False
    text_bytes: int = 0


class RunWriter(Protocol):
    """The one writer of a session while a run is at work."""

    @property
    def term(self) -> int:
        """The term under which it writes."""
        ...

    async def emit(self, draft: Draft) -> Event:
        """Number, publish and buffer an event; returns at once unless this session's buffer is full.

        A terminal event is stored, with everything before it, before this returns. Raises `OversizedError`,
        `UnencodableError` (nothing was emitted), `FencedError` (this run was superseded: stop),
        `StorageUnavailableError` once the buffer is full and storage has been away longer than allowed.
        """
        ...

    async def flush(self) -> None:
        """The barrier: everything emitted so far is stored. Raises `FencedError`, `StorageUnavailableError`,
        `StorageFullError`. Await it before any terminal state is written elsewhere.
        """
        ...

    async def close(self) -> None:
        """Flush and end the term. Without a terminal event before it, the stream stays open for `settle`.
        Repeatable.
        """
        ...


@dataclass(frozen=True, slots=True)
class WriterLevel:
    """For metrics: events and bytes not stored yet, sessions with any, and the age of the oldest in seconds."""

    events: int
    size_bytes: int
    sessions: int
    oldest_s: float


class EventWriter(Protocol):
    """Open with `async with`; closing stores what was emitted, up to a deadline, and reports what could not be."""

    async def begin(self, session_id: str, user_id: str, *, fence: TaskFence | None = None) -> RunWriter:
        """Open the session's stream: whoever wrote it before is fenced. Raises as `StreamEvents.open`."""
        ...

    async def say(self, session_id: str, user_id: str, draft: Draft) -> Event | None:
        """Say something in a session from outside its run (queue events): in the order of the run's own events if one
        is at work, here or in another instance (then None: its writer numbers it), else at once.
        """
        ...

    async def settle(self, session_id: str, draft: Draft, *, term: int | None = None) -> Event | None:
        """Store the terminal event of a run that is gone, unless it stored one itself (None). Exactly one is stored. With
        `term`, a run that came later is left alone.
        """
        ...

    def level(self) -> WriterLevel:
        """How much waits to be stored."""
        ...
