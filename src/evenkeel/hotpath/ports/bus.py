"""The bus: live events of a session to everyone who watches it.

Each watched session has a ring of its newest events and any number of readers. An event is encoded once, and every
reader gets the same bytes. The publisher never waits. A reader that falls behind is moved to replay from its own
cursor: first from the ring, then from storage; visible text is never lost to slowness, and if storage no longer has it
either the reader is *told* what is gone. An idle reader costs no query and no wake-up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from evenkeel.hotpath.ports.stream_events import Cursor, HistoryLost


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a session. `payload` is the encoded JSON, the same object for every reader.

    `stored` = replay will show it again; `terminal` = the last of its term (`final` or `error`). `epoch` = the
    generation of the session's history that it belongs to; 0 = its publisher does not know.
    """

    session_id: str
    event_id: int
    kind: str
    payload: bytes
    stored: bool = True
    terminal: bool = False
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    """Events straight from their publisher, in order, none missing since the last delivery."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """Events read back (ring or storage) after the cursor, in order. Events that are never stored may be missing."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """The reader has seen everything, and no run is at work and no task is queued: a `resume` ends here, a `watch`
    stays.
    """

    cursor: Cursor


Delivery = Live | Replayed | HistoryLost | Settled


class Subscription(Protocol):
    """One reader: iterate over deliveries. Ids rise strictly across deliveries, so a client can de-duplicate by
    them.
    """

    @property
    def cursor(self) -> Cursor:
        """The place up to which everything was delivered."""
        ...

    def __aiter__(self) -> AsyncIterator[Delivery]: ...

    async def __anext__(self) -> Delivery: ...

    async def aclose(self) -> None:
        """Stop reading; nobody else notices. Repeatable."""
        ...


class Bus(Protocol):
    """Open with `async with`. Memory is bounded per session (ring) and over all sessions (least recently used go)."""

    def publish(self, event: Event) -> None:
        """Hand an event to every reader here. Never blocks, never raises for a reader's sake. Ids must rise per
        session.
        """
        ...

    async def subscribe(self, cursor: Cursor | None, session_id: str, *, endless: bool = False) -> Subscription:
        """Read a session after `cursor`; None = from now on. The caller has checked whose session it is.

        `endless`: the reader stays whether or not anything is at work. It is never told `Settled`, so that nobody need
        look whether it is time to.
        """
        ...

    def flushed(self, session_id: str, last_id: int) -> None:
        """The writer stored everything up to `last_id`: readers in other instances are woken, coalesced."""
        ...

    def readers(self, session_id: str) -> int:
        """How many read it here."""
        ...
