"""Session leases and shares on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from evenkeel.hotpath.ports.leases import Crowded, Lease, LeaseRequest
from evenkeel.hotpath.ports.shares import Share
from evenkeel.hotpath.storage.checks import check_ids
from evenkeel.hotpath.storage.sqlite.access import Access, as_json

SWEEP_IDLE_S = 600.0
"""A lease that ended this long ago is swept: sooner, the next turn of the session would insert it again."""


@dataclass(frozen=True, slots=True)
class SqliteLeases:
    """`SessionLeases` and `CountedLeases`."""

    access: Access

    async def acquire(self, request: LeaseRequest) -> Lease | None:
        """See the port."""
        self._check(request)
        return await self.access.run.write("acquire_lease", lambda db: self._acquire(db, request))

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> frozenset[str]:
        """See the port."""

        def renew(db: apsw.Connection) -> frozenset[str]:
            return frozenset(
                lease.session_id for lease in leases if not self._on(db, "renew_lease", lease, ttl_s=ttl_s)
            )

        lost = await self.access.run.write("renew_leases", renew) if leases else frozenset()
        self.access.meter.rejected("lease", len(lost))
        return lost

    async def release(self, lease: Lease) -> bool:
        """See the port."""
        return await self.access.run.write("release_lease", lambda db: self._on(db, "release_lease", lease))

    async def live(self, session_ids: Sequence[str]) -> dict[str, Lease]:
        """See the port."""
        check_ids(self.access.settings.bounds.id_bytes, *session_ids)
        rows = await self.access.run.read(
            "live_leases", lambda db: self.access.rows(db, "live_leases", session_ids=as_json(session_ids))
        )
        return {row[0]: Lease(*row) for row in rows}

    async def sweep(self, limit: int = 500) -> int:
        """See the port."""

        def sweep(db: apsw.Connection) -> int:
            self.access.rows(db, "keep_lease_epoch")
            return len(self.access.rows(db, "sweep_leases", idle_s=SWEEP_IDLE_S, limit=limit))

        return await self.access.run.write("sweep_leases", sweep)

    async def acquire_counted(self, request: LeaseRequest, max_active: int) -> Lease | Crowded | None:
        """See the port."""
        self._check(request)

        def attempt(db: apsw.Connection) -> Lease | Crowded | None:
            self.access.rows(db, "keep_lease_epoch")
            self.access.rows(db, "counted_expire")
            count = self.access.row(db, "counted_active", session_id=request.session_id)
            active = int(count[0]) if count else 0
            return Crowded(active) if active >= max_active else self._acquire(db, request)

        return await self.access.run.write("acquire_counted", attempt)

    async def release_counted(self, lease: Lease) -> bool:
        """See the port."""

        def release(db: apsw.Connection) -> bool:
            self.access.rows(db, "keep_lease_epoch")
            return self._on(db, "counted_release", lease)

        return await self.access.run.write("release_counted", release)

    def _acquire(self, db: apsw.Connection, request: LeaseRequest) -> Lease | None:
        row = self.access.row(
            db,
            "acquire_lease",
            session_id=request.session_id,
            user_id=request.user_id,
            agent_id=request.agent_id,
            owner=request.owner,
            ttl_s=request.ttl_s,
        )
        return None if row is None else Lease(request.session_id, request.owner, row[0])

    def _on(self, db: apsw.Connection, name: str, lease: Lease, **more: float) -> bool:
        """Run a statement that holds only for a current lease."""
        values = {"session_id": lease.session_id, "epoch": lease.epoch, "owner": lease.owner, **more}
        return self.access.row(db, name, **values) is not None

    def _check(self, request: LeaseRequest) -> None:
        bound = self.access.settings.bounds.id_bytes
        check_ids(bound, request.session_id, request.owner, request.user_id, request.agent_id)


@dataclass(frozen=True, slots=True)
class SqliteShares:
    """`CapacityShares`."""

    access: Access

    async def claim(self, pool: str, instance: str, *, wanted: int, keep: int, limit: int, ttl_s: float) -> Share:
        """See the port."""

        def claim(db: apsw.Connection) -> Share:
            mine = self.access.rows(
                db, "claim_share", pool=pool, instance=instance, wanted=wanted, keep=keep, limit=limit, ttl_s=ttl_s
            )
            others = self.access.rows(db, "other_shares", pool=pool, instance=instance)
            return Share(mine[0][0], *others[0])

        return await self.access.run.write("claim_share", claim)

    async def give_back(self, pool: str, instance: str) -> None:
        """See the port."""
        await self.access.run.write(
            "give_share_back", lambda db: self.access.rows(db, "give_share_back", pool=pool, instance=instance)
        )
