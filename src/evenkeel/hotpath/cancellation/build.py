"""The one place that chooses how runs hear that they should stop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from evenkeel.hotpath.cancellation.polling import PollingCancellation
from evenkeel.hotpath.cancellation.rules import CancelRules
from evenkeel.hotpath.cancellation.settlement import Settlement
from evenkeel.hotpath.cancellation.signalled import SignalledCancellation
from evenkeel.hotpath.ports.cancellation import Cancellation, CancelledBy, CancelReport, CancelToken
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

OnePath = tuple[SignalledCancellation | PollingCancellation, Path]


@dataclass(frozen=True, slots=True)
class MeteredCancellation:
    """Around either path."""

    inner: Cancellation
    path: str
    seconds: Histogram
    cancels: Counter

    def token(self, session_id: str, owner: str) -> AbstractContextManager[CancelToken]:
        """See the port."""
        return self.inner.token(session_id, owner)

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER, *, sparing: str = "") -> CancelReport:
        """See the port."""
        started = time.perf_counter()
        try:
            report = await self.inner.cancel(session_id, by, sparing=sparing)
        finally:
            self.seconds.labels(self.path).observe(time.perf_counter() - started)
        where = "here" if report.signalled else "elsewhere" if report.woke else "nowhere"
        self.cancels.labels(self.path, by.value, where).inc()
        return report


@asynccontextmanager
async def build_cancellation(
    rules: CancelRules, switches: Switchboard, meters: Meters, *, storage: Storage, writer: EventWriter
) -> AsyncIterator[Cancellation]:
    """Open cancellation: signalled (optimised) or polled (rollback). `writer` stores the terminal events."""
    settlement = Settlement(rules, writer, storage.tasks, storage.leases, storage.threads, storage.wakeups)

    def signalled() -> OnePath:
        return SignalledCancellation(rules, settlement, storage.leases, storage.wakeups), Path.OPTIMISED

    def polling() -> OnePath:
        return PollingCancellation(rules, settlement, storage.leases), Path.ROLLBACK

    cancellation, path = switches.pick("cancellation", optimised=signalled, rollback=polling)
    runs = meters.gauge("cancellation", "tokens", "items", "Runs here that can be cancelled.")
    runs.labels(path.value).set_function(lambda: cancellation.tokens.count)
    async with cancellation:
        yield MeteredCancellation(
            cancellation,
            path.value,
            seconds=meters.histogram("cancellation", "cancel", "seconds", "Duration of a cancel, settling included."),
            cancels=meters.counter("cancellation", "cancels", "Cancels by reason and place.", ["by", "where"]),
        )
