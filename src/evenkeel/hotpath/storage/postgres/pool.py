"""A small pool: connections are handed on without a round trip in between.

asyncpg's own pool resets a connection each time it comes back, which costs a round trip of 0.2 ms per call; nothing
here leaves state on a connection, so there is nothing to reset. One pool belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.hotpath.ports.errors import SaturatedError, StorageUnavailableError
from evenkeel.hotpath.storage.gates import Gate
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.postgres.connections import Connection, Opener
from evenkeel.kernel.errors import UnavailableError, UsageError

CLOSE_S = 2.0


class Pool:
    """At most `size` connections; callers wait in order of arrival, at most `bound` of them."""

    def __init__(self, opener: Opener, size: int, meter: StorageMeter) -> None:
        settings = opener.settings
        self._opener = opener
        self._meter = meter
        self._size = size
        self._places = Gate("the connection pool", size, settings.queue_wait_s, settings.queue_bound)
        self._idle: list[Connection] = []  # the last one back is the next one out: its statements are warm
        self._closed = False

    async def start(self) -> None:
        """Open one connection, so that a wrong address is an error now and not at the first call."""
        self._idle.append(await self._opener.connect())
        self._meter.available(self._size)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of one's own. Raises `SaturatedError`, `StorageUnavailableError`, `WrongDsnError`."""
        if self._closed:
            raise UsageError("The storage is closed.", hint="Stop its users before the storage.")
        started = time.perf_counter()
        await self._places.enter()
        try:
            connection = await self._take()
            self._meter.waited(time.perf_counter() - started)
            try:
                with self._meter.working():
                    yield connection
            except (asyncio.CancelledError, UnavailableError):
                connection.terminate()  # a statement may still run on it; a fresh one costs less than to find out
                raise
            finally:
                self._put(connection)
        finally:
            self._places.leave()

    async def aclose(self, within_s: float) -> None:
        """Wait for calls under way, then close: whoever holds every place has the pool for itself."""
        if self._closed:
            return
        self._closed = True
        self._meter.available(-self._size)
        held = 0
        with contextlib.suppress(TimeoutError, SaturatedError):
            async with asyncio.timeout(within_s):
                while held < self._size:
                    await self._places.enter()
                    held += 1
        left = self._size - held
        for connection in self._idle:
            await closed(connection)
        self._idle.clear()
        if left:
            raise StorageUnavailableError(f"{left} accepted calls were not finished in {within_s:g} s")

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._opener.connect()

    def _put(self, connection: Connection) -> None:
        """A connection left inside a transaction (its caller was cancelled there) is worth less than a fresh one."""
        if connection.is_closed():
            return
        if self._closed or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)


async def closed(connection: Connection) -> None:
    """Close politely, or at once if the server does not answer."""
    try:
        await connection.close(timeout=CLOSE_S)
    except Exception:
        connection.terminate()
