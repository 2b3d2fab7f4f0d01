"""The one place that chooses how sessions are admitted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.hotpath.limiter.counting import CountingLimiter
from evenkeel.hotpath.limiter.metering import metered
from evenkeel.hotpath.limiter.rules import LimiterRules
from evenkeel.hotpath.limiter.shared import SharedLimiter
from evenkeel.hotpath.ports.limiter import Limiter
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

OnePath = tuple[SharedLimiter | CountingLimiter, Path]


@asynccontextmanager
async def build_limiter(
    rules: LimiterRules, switches: Switchboard, meters: Meters, *, storage: Storage
) -> AsyncIterator[Limiter]:
    """An open limiter. Leases that are held when it closes are left to run out: they belong to their runs.

    Raises `StorageUnavailableError` when the first share cannot be claimed, and `ConfigurationError` while the switch
    splits sessions: a limit for all cannot be kept by two counts.
    """

    def shared() -> OnePath:
        return SharedLimiter(rules, storage), Path.OPTIMISED

    def counting() -> OnePath:
        return CountingLimiter(rules, storage), Path.ROLLBACK

    limiter, path = switches.pick("limiter", optimised=shared, rollback=counting)
    async with limiter:
        yield metered(limiter, meters, path)
