"""Admission: how many sessions may be at work, and which run may work on one.

Two levels. In the process a semaphore as large as this instance's share of the limit: a grant takes no database. Then
one upsert, so that a session has one run across all instances. Check and reserve are one step at both levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Protocol

from evenkeel.hotpath.ports.leases import Lease


@dataclass(frozen=True, slots=True)
class Admission:
    """Who asks. `owner` names the run. `exempt` skips the limit, not the session's lease (administrators).

    `wait_s` = how long to wait for a slot; `session_wait_s` = how long for a session that another run holds.
    """

    session_id: str
    user_id: str
    owner: str
    agent_id: str = ""
    exempt: bool = False
    wait_s: float = 30.0
    session_wait_s: float = 0.8


class Refusal(Enum):
    """Why there is no grant now."""

    BUSY = "busy"
    """Another live run holds the session."""
    FULL = "full"
    """The limit is reached."""


class Grant(Protocol):
    """A slot and a lease, held by a *run*: it outlives the connection that asked for it. Release with `async with`."""

    @property
    def lease(self) -> Lease:
        """The session's lease; its epoch is the fence."""
        ...

    @property
    def lost(self) -> bool:
        """True once the lease is known to be someone else's, or could not be renewed in time: write nothing more."""
        ...

    def on_lost(self, call: Callable[[], None]) -> None:
        """Call once, on the loop, when the lease is lost (at once if it already is): cancel the run there."""
        ...

    async def release(self) -> None:
        """Give lease and slot back and wake the next waiter. Repeatable; never raises for a lost lease."""
        ...

    async def __aenter__(self) -> Grant: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Occupancy:
    """For metrics and `/health`: `active` here, `active_everywhere` (approximate), `waiting` here, the `limit`."""

    active: int
    active_everywhere: int
    waiting: int
    limit: int


class Limiter(Protocol):
    """Open with `async with`: renewal of leases and shares runs in the background, in a thread of its own."""

    async def admit(self, admission: Admission) -> Grant:
        """Wait for a slot, in order of arrival, then take the session.

        Raises `SaturatedError` when no slot came free within `wait_s`, `SessionBusyError` when another run kept the
        session. A cancelled or refused caller leaves nothing behind.
        """
        ...

    async def try_admit(self, admission: Admission) -> Grant | Refusal:
        """As `admit`, without waiting."""
        ...

    def occupancy(self) -> Occupancy:
        """How full it is; no database."""
        ...
