"""The rollback path: every attempt deletes what expired and counts what is live; waiters poll."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType

from evenkeel.hotpath.limiter.grants import RunGrant
from evenkeel.hotpath.limiter.rules import LimiterRules
from evenkeel.hotpath.ports.errors import SaturatedError, SessionBusyError
from evenkeel.hotpath.ports.leases import Crowded, Lease, LeaseRequest
from evenkeel.hotpath.ports.limiter import Admission, Grant, Occupancy, Refusal
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import UnavailableError, UsageError

NO_LIMIT = 2**31 - 1


class CountingLimiter:
    """`Limiter`. Leases are renewed on the event loop, so a stalled loop loses them."""

    def __init__(self, rules: LimiterRules, storage: Storage) -> None:
        self._rules, self._storage = rules, storage
        self._held: dict[Lease, RunGrant] = {}  # bounded by the limit
        self._everywhere = self._waiting = 0
        self._open = AsyncExitStack()
        self._closed = False

    async def __aenter__(self) -> CountingLimiter:
        await self._open.enter_async_context(background(self._renew(), "evenkeel-limiter"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        await self._open.aclose()

    async def admit(self, admission: Admission) -> Grant:
        """See the port; the order of arrival is not kept."""
        started = self._rules.clock.monotonic_s()
        self._waiting += 1
        try:
            while True:
                found = await self._attempt(admission)
                if isinstance(found, Lease):
                    return self._granted(found, exempt=admission.exempt)
                self._check_patience(admission, found, started)
                await self._rules.clock.sleep(self._rules.poll_s)
        finally:
            self._waiting -= 1

    async def try_admit(self, admission: Admission) -> Grant | Refusal:
        """See the port."""
        found = await self._attempt(admission)
        if isinstance(found, Lease):
            return self._granted(found, exempt=admission.exempt)
        return Refusal.BUSY if found is None else Refusal.FULL

    def occupancy(self) -> Occupancy:
        """See the port: as of the last attempt that was refused."""
        active = sum(not grant.exempt for grant in self._held.values())
        return Occupancy(active, max(active, self._everywhere), self._waiting, self._rules.max_active)

    def _check_patience(self, admission: Admission, found: Crowded | None, started: float) -> None:
        waited_s = self._rules.clock.monotonic_s() - started
        if found is None and waited_s >= admission.session_wait_s:
            raise SessionBusyError(admission.session_id)
        if found is not None and waited_s >= admission.wait_s:
            raise SaturatedError("the session limit", admission.wait_s)

    async def _attempt(self, admission: Admission) -> Lease | Crowded | None:
        if self._closed:
            raise UsageError("The limiter is closed.", hint="Stop its users first.")
        request = LeaseRequest(
            admission.session_id, admission.owner, admission.user_id, admission.agent_id, self._rules.lease_s
        )
        limit = NO_LIMIT if admission.exempt else self._rules.max_active
        work = asyncio.ensure_future(self._storage.counted_leases.acquire_counted(request, limit))
        try:
            found = await asyncio.shield(work)
        except asyncio.CancelledError:
            found = await work
            if isinstance(found, Lease):
                await self._storage.counted_leases.release_counted(found)
            raise
        self._everywhere = found.active if isinstance(found, Crowded) else self._everywhere
        return found

    def _granted(self, lease: Lease, *, exempt: bool) -> RunGrant:
        clock = self._rules.clock
        grant = RunGrant(lease, clock, clock.monotonic_s() + self._rules.lease_s, self._release, exempt=exempt)
        for older in tuple(self._held.values()):
            if older.lease.session_id == lease.session_id and older.lease.epoch != lease.epoch:
                older.tell()
        self._held[lease] = grant
        return grant

    async def _release(self, grant: RunGrant) -> None:
        self._held.pop(grant.lease, None)
        with suppress(UnavailableError):
            await self._storage.counted_leases.release_counted(grant.lease)

    async def _renew(self) -> None:
        while True:
            await self._rules.clock.sleep(self._rules.lease_s / 3)
            for grant in tuple(self._held.values()):
                started = self._rules.clock.monotonic_s()
                try:
                    lost = await self._storage.leases.renew([grant.lease], self._rules.lease_s)
                except UnavailableError:
                    lost = frozenset({grant.lease.session_id}) if grant.lost else frozenset()
                else:
                    if not lost:
                        grant.extend(started + self._rules.lease_s)
                if lost:
                    self._held.pop(grant.lease, None)
                    grant.tell()
