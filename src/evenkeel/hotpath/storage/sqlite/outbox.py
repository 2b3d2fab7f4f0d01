"""Outbox rows on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import apsw

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
from evenkeel.hotpath.storage.rows import claimed_messages, outbox_record
from evenkeel.hotpath.storage.sqlite.access import Access, as_json


@dataclass(frozen=True, slots=True)
class SqliteOutbox:
    """`OutboxRows` and `UnclaimedOutbox`."""

    access: Access

    async def enqueue(self, messages: Sequence[NewMessage]) -> int:
        """See the port."""
        bounds = self.access.settings.bounds
        for m in messages:
            check_ids(bounds.id_bytes, m.outbox_id, m.idempotency_key, m.channel, m.account_id, m.peer_kind, m.peer_id)
            check_ids(bounds.id_bytes, m.thread_id)
            check_payload("A message", m.payload, bounds.message_bytes)
        new = await self.access.run.write("enqueue_messages", lambda db: self._enqueue(db, messages))
        self.access.meter.wrote("channel_outbox", new)
        return new

    async def claim(
        self, worker: str, *, limit: int, per_group: int, lease_s: float, busy: Sequence[tuple[Group, int]] = ()
    ) -> list[ClaimedMessage]:
        """See the port."""
        in_flight = dict(busy)

        def claim(db: apsw.Connection) -> list[ClaimedMessage]:
            seqs = self._picked(db, in_flight, per_group)[:limit]
            rows = self.access.rows(db, "take_messages", worker=worker, lease_s=lease_s, seqs=as_json(seqs))
            return claimed_messages(rows)

        return await self.access.run.write("claim_messages", claim)

    async def settle(self, deliveries: Sequence[Delivery]) -> frozenset[str]:
        """See the port."""

        def settle(db: apsw.Connection) -> frozenset[str]:
            return frozenset(delivery.outbox_id for delivery in deliveries if not self._settle(db, delivery))

        fenced = await self.access.run.write("settle_messages", settle)
        self.access.meter.rejected("delivery", len(fenced))
        return fenced

    async def heartbeat(self, held: Sequence[tuple[str, int]], lease_s: float) -> frozenset[str]:
        """See the port."""

        def beat(db: apsw.Connection) -> frozenset[str]:
            return frozenset(
                outbox_id
                for outbox_id, attempt in held
                if not self.access.rows(db, "heartbeat_message", outbox_id=outbox_id, attempt=attempt, lease_s=lease_s)
            )

        return await self.access.run.write("heartbeat_messages", beat) if held else frozenset()

    async def upkeep(self, limit: int = 500) -> OutboxUpkeep:
        """See the port."""

        def upkeep(db: apsw.Connection) -> OutboxUpkeep:
            recovered = self.access.rows(db, "recover_messages", limit=limit)
            return OutboxUpkeep(len(recovered), self.access.rows(db, "next_message_due")[0][0])

        return await self.access.run.write("outbox_upkeep", upkeep)

    async def failed(self, limit: int = 50, group: Group | None = None) -> list[OutboxRecord]:
        """See the port."""
        channel, account_id = (group.channel, group.account_id) if group else ("", "")
        rows = await self.access.run.read(
            "failed_messages",
            lambda db: self.access.rows(db, "failed_messages", limit=limit, channel=channel, account_id=account_id),
        )
        return [outbox_record(row) for row in rows]

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """See the port."""

        def replay(db: apsw.Connection) -> int:
            return sum(bool(self.access.rows(db, "replay_message", outbox_id=outbox_id)) for outbox_id in outbox_ids)

        return await self.access.run.write("replay_messages", replay)

    async def depth(self, bound: int = 10_000) -> OutboxDepth:
        """See the port."""

        def depth(db: apsw.Connection) -> OutboxDepth:
            waiting, oldest = self.access.rows(db, "waiting_messages", bound=bound)[0]
            sending = self.access.rows(db, "sending_messages", bound=bound)[0][0]
            failed = self.access.rows(db, "dead_messages", bound=bound)[0][0]
            return OutboxDepth(waiting, sending, failed, max(0.0, oldest or 0.0))

        return await self.access.run.read("outbox_depth", depth)

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """See the port."""
        return await self.access.run.write(
            "prune_outbox", lambda db: len(self.access.rows(db, "prune_outbox", older_than_s=older_than_s, limit=limit))
        )

    async def due(self, limit: int = 50) -> list[ClaimedMessage]:
        """See the port."""
        rows = await self.access.run.read("due_messages", lambda db: self.access.rows(db, "due_messages", limit=limit))
        return claimed_messages(rows)

    def _picked(self, db: apsw.Connection, in_flight: Mapping[Group, int], per_group: int) -> list[int]:
        """The heads of all groups, one round after another over the groups, the longest due first within a round."""
        heads: list[tuple[int, float, int]] = []
        for row in self.access.rows(db, "outbox_groups"):
            room = per_group - in_flight.get(Group(*row), 0)
            due = self.access.rows(db, "due_of_group", channel=row[0], account_id=row[1], room=max(0, room))
            heads += [(turn, retry_at, seq) for turn, (retry_at, seq) in enumerate(due)]
        return [seq for _, _, seq in sorted(heads)]

    def _enqueue(self, db: apsw.Connection, messages: Sequence[NewMessage]) -> int:
        before, now = db.total_changes(), self.access.settings.now()
        rows = (
            {
                "outbox_id": message.outbox_id,
                "key": message.idempotency_key or message.outbox_id,
                "channel": message.channel,
                "account_id": message.account_id,
                "peer_kind": message.peer_kind,
                "peer_id": message.peer_id,
                "thread_id": message.thread_id,
                "payload": message.payload,
                "delay_s": message.delay_s,
                "now": now,
            }
            for message in messages
        )
        db.executemany(self.access.sql["enqueue_message"], rows)
        return db.total_changes() - before

    def _settle(self, db: apsw.Connection, delivery: Delivery) -> bool:
        key = {"outbox_id": delivery.outbox_id, "attempt": delivery.attempt, "status": delivery.status.value}
        settled = self.access.rows(
            db, "settle_message", **key, error=shortened(delivery.error), retry_in_s=delivery.retry_in_s
        )
        return bool(settled or self.access.rows(db, "was_settled", **key))
