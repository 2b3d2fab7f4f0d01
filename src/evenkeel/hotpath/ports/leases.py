"""Session leases: which run may work on a session, across all instances.

A lease belongs to a *run*, never to a connection: a client that goes away leaves the lease alone. It is held by a
non-empty `owner` and carries an `epoch` that rises with every change of owner of that session, for ever, also after
the row was cleaned away. The epoch is the fence: an owner whose epoch is not current holds nothing.

Hot statements neither count nor delete. Expiry needs no clean-up either: an expired row is taken over by the same
upsert; `sweep` only keeps the table small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """Who asks for which session. `owner` names the run and must be unique per run."""

    session_id: str
    owner: str
    user_id: str
    agent_id: str = ""
    ttl_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A held session. `(session_id, epoch)` was never handed out before and never will be to another owner."""

    session_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Crowded:
    """The rollback way's other refusal: `active` sessions are live, as many as are allowed."""

    active: int


class SessionLeases(Protocol):
    """The table `session_locks`."""

    async def acquire(self, request: LeaseRequest) -> Lease | None:
        """Take the session in one statement, or None while another live owner holds it.

        Repeatable: the same owner gets the same epoch back, with a fresh time to live. An expired lease is taken over.
        """
        ...

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> frozenset[str]:
        """Extend all of them by `ttl_s` from now in one statement; answers the `session_id`s that are *lost*.

        Lost = another owner took it, or it was released. A lease that has expired but that nobody took is renewed.
        """
        ...

    async def release(self, lease: Lease) -> bool:
        """Free the session; False if the lease was no longer current (then nothing changes). Repeatable."""
        ...

    async def live(self, session_ids: Sequence[str]) -> dict[str, Lease]:
        """Those of the sessions that a live owner holds: the evidence behind "busy"."""
        ...

    async def sweep(self, limit: int = 500) -> int:
        """Remove up to `limit` rows that expired a while ago; answers how many. For the janitor alone."""
        ...


class CountedLeases(Protocol):
    """The rollback limiter's way: expiry and count inside the attempt. Same rows as `SessionLeases`."""

    async def acquire_counted(self, request: LeaseRequest, max_active: int) -> Lease | Crowded | None:
        """DELETE what expired, COUNT what is live, INSERT if there is room: one transaction. None = session held."""
        ...

    async def release_counted(self, lease: Lease) -> bool:
        """DELETE the row, if this lease is current."""
        ...
