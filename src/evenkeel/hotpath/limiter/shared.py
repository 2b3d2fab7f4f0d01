"""The optimised path: slots in memory, sized by a share of the limit, then one upsert for the session."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType

from evenkeel.hotpath.limiter.grants import RunGrant
from evenkeel.hotpath.limiter.keeper import Asked, Keeper
from evenkeel.hotpath.limiter.rules import LimiterRules
from evenkeel.hotpath.limiter.slots import Slots
from evenkeel.hotpath.ports.errors import SessionBusyError
from evenkeel.hotpath.ports.leases import Lease, LeaseRequest
from evenkeel.hotpath.ports.limiter import Admission, Grant, Occupancy, Refusal
from evenkeel.hotpath.ports.shares import Share
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.wakeups import Channel
from evenkeel.kernel.errors import UnavailableError, UsageError


class SharedLimiter:
    """`Limiter`."""

    def __init__(self, rules: LimiterRules, storage: Storage) -> None:
        self._rules, self._storage = rules, storage
        self.slots = Slots(rules.clock, rules.waiting)
        self._keeper = Keeper(rules, storage, self.slots, self._apply)
        self._others = self._version = 0
        self._growing: asyncio.Task[None] | None = None
        self._freed: dict[str, list[asyncio.Future[None]]] = {}  # callers that wait for a session
        self._running: dict[str, RunGrant] = {}  # the newest grant of each session here
        self._tasks: set[asyncio.Task[None]] = set()  # short errands, each ends by itself
        self._telling = self._closed = False
        self._stop_listening: Callable[[], None] | None = None

    async def __aenter__(self) -> SharedLimiter:
        self._stop_listening = self._storage.wakeups.listen(Channel.SHARES, self._heard)
        await self._keeper.start()
        await asyncio.sleep(0)  # the first share is applied
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._stop_listening is not None:
            self._stop_listening()
        for task in (self._growing, *self._tasks):
            if task is not None and not task.done():
                await asyncio.wait([task])
        await self._keeper.close()

    async def admit(self, admission: Admission) -> Grant:
        """See the port. Raises `QueueFullError` when as many wait as may wait."""
        self._check_open()
        if not admission.exempt and not self.slots.take():
            self._grow()
            await self.slots.wait(admission.wait_s)
        try:
            return await self._session(admission)
        except BaseException:
            self._leave(exempt=admission.exempt)
            raise

    async def try_admit(self, admission: Admission) -> Grant | Refusal:
        """See the port."""
        self._check_open()
        if not admission.exempt and not await self._slot_now():
            return Refusal.FULL
        try:
            lease = await self._acquire(admission)
        except BaseException:
            self._leave(exempt=admission.exempt)
            raise
        if lease is None:
            self._leave(exempt=admission.exempt)
            return Refusal.BUSY
        return self._granted(lease, exempt=admission.exempt)

    def occupancy(self) -> Occupancy:
        """See the port."""
        active = self.slots.in_use
        return Occupancy(active, active + self._others, self.slots.waiting, self._rules.max_active)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("The limiter is closed.", hint="Stop its users first.")

    async def _slot_now(self) -> bool:
        if self.slots.take():
            return True
        if self.slots.waiting or self.slots.ceiling >= self._rules.max_active:
            return False
        await self._keeper.claim(self._more(1))
        await asyncio.sleep(0)  # the answer is applied
        return self.slots.take()

    async def _session(self, admission: Admission) -> RunGrant:
        """Try until the session is free: at once when it is freed here, else with spread pauses."""
        clock = self._rules.clock
        deadline = clock.monotonic_s() + admission.session_wait_s
        pause_s = self._rules.retry_s
        while True:
            lease = await self._acquire(admission)
            if lease is not None:
                return self._granted(lease, exempt=admission.exempt)
            left_s = deadline - clock.monotonic_s()
            if left_s <= 0:
                raise SessionBusyError(admission.session_id)
            spread = random.uniform(0.5, 1.5)  # noqa: S311 spreads retries
            await self._freed_within(admission.session_id, min(left_s, pause_s * spread))
            pause_s = min(self._rules.retry_max_s, pause_s * 2)

    async def _freed_within(self, session_id: str, pause_s: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._freed.setdefault(session_id, [])
        waiters.append(future)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await future
        finally:
            waiters.remove(future)
            if not waiters and self._freed.get(session_id) is waiters:
                del self._freed[session_id]

    async def _acquire(self, admission: Admission) -> Lease | None:
        """One upsert. A caller that is cancelled while it runs leaves no lease behind."""
        request = LeaseRequest(
            admission.session_id, admission.owner, admission.user_id, admission.agent_id, self._rules.lease_s
        )
        work = asyncio.ensure_future(self._storage.leases.acquire(request))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._errand(self._undo(work))
            raise

    async def _undo(self, work: asyncio.Future[Lease | None]) -> None:
        with suppress(UnavailableError):  # then the lease runs out by itself
            lease = await work
            if lease is not None:
                await self._storage.leases.release(lease)

    def _granted(self, lease: Lease, *, exempt: bool) -> RunGrant:
        valid_until = self._rules.clock.monotonic_s() + self._rules.lease_s
        grant = RunGrant(lease, self._rules.clock, valid_until, self._release, exempt=exempt)
        older = self._running.get(lease.session_id)
        if older is not None and older.lease.epoch != lease.epoch:
            older.tell()  # someone freed the session under it, to settle it
        self._running[lease.session_id] = grant
        self._keeper.hold(grant)
        return grant

    async def _release(self, grant: RunGrant) -> None:
        self._keeper.drop(grant)
        session_id = grant.lease.session_id
        if self._running.get(session_id) is grant:
            del self._running[session_id]
        try:
            with suppress(UnavailableError):  # then the lease runs out by itself
                await self._storage.leases.release(grant.lease)
        finally:
            self._leave(exempt=grant.exempt)
            for future in self._freed.get(session_id, ()):
                if not future.done():
                    future.set_result(None)

    def _leave(self, *, exempt: bool) -> None:
        if not exempt:
            self.slots.give()

    def _more(self, callers: int) -> Asked:
        """Enough for those at work, those in line and `callers` more."""
        slots = self.slots
        wanted = self._rules.wanted(slots.in_use + slots.waiting + callers)
        return Asked(wanted, self._version)

    def _grow(self) -> None:
        """Ask for more slots while someone waits; one request at a time."""
        if self.slots.ceiling < self._rules.max_active and (self._growing is None or self._growing.done()):
            self._growing = asyncio.get_running_loop().create_task(self._grow_while_waiting())

    async def _grow_while_waiting(self) -> None:
        pause_s = self._rules.retry_s
        await asyncio.sleep(0)  # whoever caused this stands in line now
        while self.slots.waiting and self.slots.ceiling < self._rules.max_active and not self._closed:
            await self._keeper.claim(self._more(0))
            await asyncio.sleep(0)
            if self.slots.waiting and self.slots.ceiling < self._rules.max_active:
                self._tell()
                await self._rules.clock.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries
                pause_s = min(self._rules.retry_max_s * 5, pause_s * 2)

    def _tell(self) -> None:
        """Others may give back what they do not use."""
        self._telling = True
        try:
            self._storage.wakeups.wake(Channel.SHARES, self._rules.pool, at_once=True)
        finally:
            self._telling = False

    def _heard(self, keys: Sequence[str]) -> None:
        if self._telling or (keys and self._rules.pool not in keys):
            return
        if self.slots.waiting:
            self._grow()
        else:
            self._shrink()

    def _shrink(self) -> None:
        """Give back what is idle: first here, so that it cannot be granted, then in storage."""
        slots = self.slots
        if slots.ceiling > slots.in_use and not self._closed:
            slots.ceiling = slots.in_use
            self._version += 1
            self._errand(self._give_back(slots.ceiling, self._version))

    async def _give_back(self, ceiling: int, version: int) -> None:
        await self._keeper.claim(Asked(ceiling, version))
        self._tell()

    def _apply(self, share: Share, valid_until: float, version: int) -> None:
        """A share was claimed, by request or by renewal; answers from before the last giving-back count no more."""
        self._others = share.others
        self.slots.valid_until = max(self.slots.valid_until, valid_until)
        if version == self._version:
            self.slots.ceiling = share.granted
        self.slots.admit()
        if share.waiting and not self.slots.waiting:
            self._shrink()

    def _errand(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
