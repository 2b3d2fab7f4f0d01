"""Optimised path: calls run on the caller's own event loop, on prepared statements, over a small pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.postgres.connections import Opener
from evenkeel.hotpath.storage.postgres.pool import Pool
from evenkeel.hotpath.storage.postgres.runner import Operation, run_on

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Native:
    """A pool on this event loop."""

    pool: Pool
    close_s: float
    meter: StorageMeter

    async def run(self, operation: Operation[T]) -> T:
        """On the next free connection."""
        async with self.pool.connection() as connection:
            return await run_on(connection, operation, self.meter)

    async def aclose(self) -> None:
        """Wait for what was accepted, then close the connections."""
        await self.pool.aclose(self.close_s)


async def build_native(opener: Opener, meter: StorageMeter, size: int) -> Native:
    """Open the pool. Raises what connecting raises."""
    pool = Pool(opener, size, meter)
    await pool.start()
    return Native(pool, opener.settings.close_s, meter)
