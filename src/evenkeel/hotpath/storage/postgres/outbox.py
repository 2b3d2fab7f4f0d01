"""Outbox rows on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.hotpath.ports.outbox_rows import (
    ClaimedMessage,
    Delivery,
    Group,
    NewMessage,
    OutboxDepth,
    OutboxRecord,
    OutboxUpkeep,
)
from evenkeel.hotpath.storage.checks import check_ids, check_payload, shortened
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.rows import claimed_messages, outbox_record


@dataclass(frozen=True, slots=True)
class PostgresOutbox:
    """`OutboxRows` and `UnclaimedOutbox`."""

    access: Access

    async def enqueue(self, messages: Sequence[NewMessage]) -> int:
        """See the port."""
        bounds = self.access.settings.bounds
        for m in messages:
            check_ids(bounds.id_bytes, m.outbox_id, m.idempotency_key, m.channel, m.account_id, m.peer_kind, m.peer_id)
            check_ids(bounds.id_bytes, m.thread_id)
            check_payload("A message", m.payload, bounds.message_bytes)
        rows = await self.access.rows("enqueue_messages", self.access.now(), *_new(messages))
        self.access.meter.wrote("channel_outbox", len(rows))
        return len(rows)

    async def claim(
        self, worker: str, *, limit: int, per_group: int, lease_s: float, busy: Sequence[tuple[Group, int]] = ()
    ) -> list[ClaimedMessage]:
        """See the port."""
        channels = [group.channel for group, _ in busy]
        accounts = [group.account_id for group, _ in busy]
        counts = [count for _, count in busy]
        values = (self.access.now(), worker, lease_s, limit, per_group, channels, accounts, counts)
        return claimed_messages(await self.access.rows("claim_messages", *values))

    async def settle(self, deliveries: Sequence[Delivery]) -> frozenset[str]:
        """See the port."""
        if not deliveries:
            return frozenset()
        wanted = frozenset(delivery.outbox_id for delivery in deliveries)
        columns = _columns(deliveries)
        known = {row[0] for row in await self.access.rows("settle_messages", self.access.now(), *columns)}
        if len(known) < len(wanted):
            known |= {row[0] for row in await self.access.rows("were_settled", *columns[:3])}
        self.access.meter.rejected("delivery", len(wanted - known))
        return wanted - known

    async def heartbeat(self, held: Sequence[tuple[str, int]], lease_s: float) -> frozenset[str]:
        """See the port."""
        ids, attempts = [outbox_id for outbox_id, _ in held], [attempt for _, attempt in held]
        rows = await self.access.rows("heartbeat_messages", self.access.now(), lease_s, ids, attempts) if held else []
        return frozenset(ids) - {row[0] for row in rows}

    async def upkeep(self, limit: int = 500) -> OutboxUpkeep:
        """See the port."""
        recovered = await self.access.rows("recover_messages", self.access.now(), limit)
        due = await self.access.rows("next_message_due", self.access.now())
        return OutboxUpkeep(len(recovered), due[0][0])

    async def failed(self, limit: int = 50, group: Group | None = None) -> list[OutboxRecord]:
        """See the port."""
        channel, account_id = (group.channel, group.account_id) if group else ("", "")
        return [outbox_record(row) for row in await self.access.rows("failed_messages", channel, account_id, limit)]

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """See the port."""
        return len(await self.access.rows("replay_messages", self.access.now(), list(outbox_ids)))

    async def depth(self, bound: int = 10_000) -> OutboxDepth:
        """See the port."""
        waiting, oldest = (await self.access.rows("waiting_messages", self.access.now(), bound))[0]
        sending = (await self.access.rows("sending_messages", bound))[0][0]
        failed = (await self.access.rows("dead_messages", bound))[0][0]
        return OutboxDepth(waiting, sending, failed, max(0.0, oldest or 0.0))

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """See the port."""
        return len(await self.access.rows("prune_outbox", self.access.now(), older_than_s, limit))

    async def due(self, limit: int = 50) -> list[ClaimedMessage]:
        """See the port."""
        return claimed_messages(await self.access.rows("due_messages", self.access.now(), limit))


def _new(messages: Sequence[NewMessage]) -> tuple[list[object], ...]:
    return (
        [message.outbox_id for message in messages],
        [message.idempotency_key or message.outbox_id for message in messages],
        [message.channel for message in messages],
        [message.account_id for message in messages],
        [message.peer_kind for message in messages],
        [message.peer_id for message in messages],
        [message.thread_id for message in messages],
        [message.payload for message in messages],
        [message.delay_s for message in messages],
    )


def _columns(deliveries: Sequence[Delivery]) -> tuple[list[object], ...]:
    return (
        [delivery.outbox_id for delivery in deliveries],
        [delivery.attempt for delivery in deliveries],
        [delivery.status.value for delivery in deliveries],
        [shortened(delivery.error) for delivery in deliveries],
        [delivery.retry_in_s for delivery in deliveries],
    )
