"""Cancellation: one token per session, set by an event, across instances.

Stop is not disconnect: a client that goes away cancels nothing. Cancelling signals the run wherever it is, settles the
session's task rows and its thread, and sees to one stored terminal event. An old run cannot overwrite what came after:
the fences see to that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class CancelledBy(Enum):
    """Why."""

    USER = "user"
    ADMIN = "admin"
    LEASE_LOST = "lease_lost"
    SHUTDOWN = "shutdown"


class CancelToken(Protocol):
    """A run's ear. Reading it is a field access."""

    @property
    def reason(self) -> CancelledBy | None:
        """None while the run may go on."""
        ...

    async def wait(self) -> CancelledBy:
        """Return once cancelled; costs nothing while waiting."""
        ...

    def on_cancel(self, call: Callable[[CancelledBy], None]) -> None:
        """Call once, on the loop (at once if it is too late)."""
        ...


@dataclass(frozen=True, slots=True)
class CancelReport:
    """What a cancel did: `signalled` a live run here, `woke` other instances, settled `tasks`, stored `terminal_event`.
    `running` = those of the tasks that a worker holds: they were told to stop.
    """

    signalled: bool
    woke: bool
    tasks: tuple[str, ...]
    terminal_event: int | None
    running: tuple[str, ...] = ()


class Cancellation(Protocol):
    """Open with `async with`. Tokens are held weakly: a session without a run costs nothing."""

    def token(self, session_id: str, owner: str) -> AbstractContextManager[CancelToken]:
        """For the time of a run: a fresh token, not tripped by a cancel of an earlier run."""
        ...

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER, *, sparing: str = "") -> CancelReport:
        """Settle the tasks, signal, and tell. Returns without waiting for the run to notice. Repeatable.

        The run of the task `sparing` is saying its last word: it is left to it, and only what waits behind it is cancelled.
        """
        ...
