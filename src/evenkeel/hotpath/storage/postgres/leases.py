"""Session leases and shares on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.hotpath.ports.leases import Crowded, Lease, LeaseRequest
from evenkeel.hotpath.ports.shares import Share
from evenkeel.hotpath.storage.checks import check_ids
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.rows import Row

SWEEP_IDLE_S = 600.0
"""A lease that ended this long ago is swept: sooner, the next turn of the session would insert it again."""


@dataclass(frozen=True, slots=True)
class PostgresLeases:
    """`SessionLeases` and `CountedLeases`."""

    access: Access

    async def acquire(self, request: LeaseRequest) -> Lease | None:
        """See the port."""
        row = await self.access.row("acquire_lease", *self._values(request))
        return None if row is None else Lease(request.session_id, request.owner, row[0])

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> frozenset[str]:
        """See the port."""
        if not leases:
            return frozenset()
        wanted = [lease.session_id for lease in leases]
        epochs, owners = [lease.epoch for lease in leases], [lease.owner for lease in leases]
        rows = await self.access.rows("renew_leases", self.access.now(), ttl_s, wanted, epochs, owners)
        lost = frozenset(wanted) - {row[0] for row in rows}
        self.access.meter.rejected("lease", len(lost))
        return lost

    async def release(self, lease: Lease) -> bool:
        """See the port."""
        values = (self.access.now(), lease.session_id, lease.epoch, lease.owner)
        return await self.access.row("release_lease", *values) is not None

    async def live(self, session_ids: Sequence[str]) -> dict[str, Lease]:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, *session_ids)
        rows = await self.access.rows("live_leases", self.access.now(), list(session_ids))
        return {row[0]: Lease(*row) for row in rows}

    async def sweep(self, limit: int = 500) -> int:
        """See the port."""
        return len(await self.access.rows("sweep_leases", self.access.now(), SWEEP_IDLE_S, limit))

    async def acquire_counted(self, request: LeaseRequest, max_active: int) -> Lease | Crowded | None:
        """See the port."""
        values = self._values(request)

        async def attempt(db: Connection) -> Lease | Crowded | None:
            async with db.transaction():
                await self.access.on(db, "counted_lock")
                await self.access.on(db, "counted_expire", self.access.now())
                active = (await self.access.on(db, "counted_active", request.session_id))[0][0]
                if active >= max_active:
                    return Crowded(active)
                rows = await self.access.on(db, "acquire_lease", *values)
                return Lease(request.session_id, request.owner, rows[0][0]) if rows else None

        return await self.access.run.run("acquire_counted", attempt)

    async def release_counted(self, lease: Lease) -> bool:
        """See the port."""
        return await self.access.row("counted_release", lease.session_id, lease.epoch, lease.owner) is not None

    def _values(self, request: LeaseRequest) -> Row:
        words = (request.session_id, request.user_id, request.agent_id, request.owner)
        check_ids(self.access.settings.bounds.id_bytes, *words)
        return (self.access.now(), *words, request.ttl_s)


@dataclass(frozen=True, slots=True)
class PostgresShares:
    """`CapacityShares`."""

    access: Access

    async def claim(self, pool: str, instance: str, *, wanted: int, keep: int, limit: int, ttl_s: float) -> Share:
        """See the port."""
        now = self.access.now()

        async def claim(db: Connection) -> Share:
            async with db.transaction():
                await self.access.on(db, "lock_pool", pool)
                mine = await self.access.on(db, "claim_share", now, pool, instance, wanted, keep, limit, ttl_s)
                others = await self.access.on(db, "other_shares", now, pool, instance)
                return Share(mine[0][0], *others[0])

        return await self.access.run.run("claim_share", claim)

    async def give_back(self, pool: str, instance: str) -> None:
        """See the port."""
        await self.access.rows("give_share_back", self.access.now(), pool, instance)
