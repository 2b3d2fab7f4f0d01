"""A grant: a lease and a slot in the hands of a run. The same on both paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType

from evenkeel.hotpath.ports.leases import Lease
from evenkeel.kernel.clock import Clock

Release = Callable[["RunGrant"], Awaitable[None]]


class RunGrant:
    """`Grant`. `extend` and `doubt` may be called from the keeper's thread; all else happens on the loop."""

    def __init__(self, lease: Lease, clock: Clock, valid_until: float, release: Release, *, exempt: bool) -> None:
        self._lease = lease
        self._clock = clock
        self._valid_until = valid_until
        self._release = release
        self._lost = self._released = False
        self._calls: list[Callable[[], None]] = []  # as many as the run has registered
        self.exempt = exempt

    @property
    def lease(self) -> Lease:
        """See the port."""
        return self._lease

    @property
    def lost(self) -> bool:
        """See the port. Also true in a process that was paused past the lease, before anyone has told it."""
        return self._lost or self._clock.monotonic_s() >= self._valid_until

    def on_lost(self, call: Callable[[], None]) -> None:
        """See the port."""
        if self.lost:
            call()
        else:
            self._calls.append(call)

    def extend(self, valid_until: float) -> None:
        """The lease was renewed."""
        self._valid_until = valid_until

    def doubt(self) -> None:
        """The lease is someone else's, or nobody knows: visible at once, also while the loop stalls."""
        self._lost = True

    def tell(self) -> None:
        """Call who wanted to hear of the loss, once."""
        self._lost = True
        calls, self._calls = self._calls, []
        for call in calls:
            call()

    async def release(self) -> None:
        """See the port."""
        if not self._released:
            self._released = True
            self._calls.clear()
            await self._release(self)

    async def __aenter__(self) -> RunGrant:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()
