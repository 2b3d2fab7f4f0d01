"""Outbox rows: messages to channels, claimed by group, sent at least once and recognisable by the receiver.

A group is one account of one channel. A claim spreads over groups, so a dead account takes its own share and no more.
States: pending -> sending -> sent | retry -> sending … | failed (the dead letters). `attempt` is the fence.

At least once is what a database can promise: a process that dies after the send and before the settle sends again,
under the same `idempotency_key`, which the receiver sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class OutboxStatus(Enum):
    """The column `status`."""

    PENDING = "pending"
    SENDING = "sending"
    RETRY = "retry"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Group:
    """One account of one channel."""

    channel: str
    account_id: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What to send. The same `idempotency_key` ("" = the outbox id) is queued once, ever."""

    outbox_id: str
    channel: str
    account_id: str
    peer_kind: str
    peer_id: str
    payload: bytes
    thread_id: str = ""
    idempotency_key: str = ""
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message to send now. `attempt` is its fence, `retries` how many tries failed before."""

    outbox_id: str
    attempt: int
    retries: int
    channel: str
    account_id: str
    peer_kind: str
    peer_id: str
    thread_id: str
    payload: bytes
    idempotency_key: str
    queued_at: float

    @property
    def group(self) -> Group:
        """The account it goes out through."""
        return Group(self.channel, self.account_id)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a try ended: SENT, FAILED (a dead letter), RETRY after `retry_in_s`, or PENDING after `retry_in_s`: deferred
    without having been tried (a breaker is open, a shutdown), so it counts as no retry.
    """

    outbox_id: str
    attempt: int
    status: OutboxStatus
    error: str = ""
    retry_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A row as it stands, for lists and replay."""

    outbox_id: str
    channel: str
    account_id: str
    peer_id: str
    status: OutboxStatus
    retries: int
    last_error: str
    created_at: float
    delivered_at: float | None


@dataclass(frozen=True, slots=True)
class OutboxUpkeep:
    """What a round of upkeep did; `due_in_s` = until the next row is due, None = nothing waits."""

    recovered: int
    due_in_s: float | None


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """How many rows wait, are being sent, and are dead letters (at most `bound` of each are looked at), and for how long
    the one that was queued first has waited, in seconds, among those looked at.
    """

    waiting: int
    sending: int
    failed: int
    oldest_s: float


class OutboxRows(Protocol):
    """The table `channel_outbox`."""

    async def enqueue(self, messages: Sequence[NewMessage]) -> int:
        """Queue all of them; answers how many were new. Repeatable by `outbox_id` and by `idempotency_key`."""
        ...

    async def claim(
        self, worker: str, *, limit: int, per_group: int, lease_s: float, busy: Sequence[tuple[Group, int]] = ()
    ) -> list[ClaimedMessage]:
        """Take due rows, at most `per_group` of each group and `limit` in all, oldest first within a group.

        `busy` lowers the share of a group by what the caller already has in flight there; a group at or above
        `per_group` (or with an open breaker: pass `per_group`) gets nothing and costs nothing.
        """
        ...

    async def settle(self, deliveries: Sequence[Delivery]) -> frozenset[str]:
        """Store the outcomes; answers the `outbox_id`s that were *fenced*. Repeatable."""
        ...

    async def heartbeat(self, held: Sequence[tuple[str, int]], lease_s: float) -> frozenset[str]:
        """Extend the leases of `(outbox_id, attempt)`; answers the ids that are lost."""
        ...

    async def upkeep(self, limit: int = 500) -> OutboxUpkeep:
        """Rows whose sender died become due again (that try counts as a retry)."""
        ...

    async def failed(self, limit: int = 50, group: Group | None = None) -> list[OutboxRecord]:
        """The newest dead letters."""
        ...

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """Queue failed rows again with fresh retries and the same idempotency key; answers how many."""
        ...

    async def depth(self, bound: int = 10_000) -> OutboxDepth:
        """For metrics, about once a second: looks at no more than `bound` rows of an index for each state."""
        ...

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """Remove sent rows by age. For the janitor alone."""
        ...


class UnclaimedOutbox(Protocol):
    """The rollback dispatcher's way: read what is due, one loop for all channels. Same rows."""

    async def due(self, limit: int = 50) -> list[ClaimedMessage]:
        """Due rows, oldest first, claimed by nobody: `attempt` is what the row holds now."""
        ...
