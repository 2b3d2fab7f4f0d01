"""Rollback path: every call hops to a thread, which blocks until the database has answered.

The thread drives a connection of its own through a private event loop, so both paths run the same operations and need
one driver; a synchronous driver would block the thread in the same way.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from evenkeel.hotpath.storage.gates import Gate
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.postgres.connections import Connection, Opener
from evenkeel.hotpath.storage.postgres.pool import closed
from evenkeel.hotpath.storage.postgres.runner import Operation, run_on
from evenkeel.kernel.errors import UsageError

T = TypeVar("T")


@dataclass  # without slots: threading.local would share them between threads
class Seat(threading.local):
    """What one thread works with."""

    loop: asyncio.AbstractEventLoop | None = None
    connection: Connection | None = None


@dataclass(slots=True)
class ThreadHop:
    """A thread pool; each thread keeps one connection."""

    opener: Opener
    threads: ThreadPoolExecutor
    gate: Gate
    meter: StorageMeter
    size: int
    seat: Seat = field(default_factory=Seat)
    seats: list[tuple[asyncio.AbstractEventLoop, Connection]] = field(default_factory=list)  # at most one per thread
    closed: bool = False

    async def run(self, operation: Operation[T]) -> T:
        """One thread hop, there and back."""
        if self.closed:
            raise UsageError("The storage is closed.", hint="Stop its users before the storage.")
        await self.gate.enter()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, self._call, operation, time.perf_counter())
        finally:
            self.gate.leave()

    async def aclose(self) -> None:
        """Finish what was accepted, then close each thread's connection."""
        if not self.closed:
            self.closed = True
            self.meter.available(-self.size)
            await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _call(self, operation: Operation[T], submitted_s: float) -> T:
        self.meter.waited(time.perf_counter() - submitted_s)
        with self.meter.working():
            loop, connection = self._seated()
            try:
                return loop.run_until_complete(run_on(connection, operation, self.meter))
            finally:
                if connection.is_in_transaction():
                    connection.terminate()

    def _seated(self) -> tuple[asyncio.AbstractEventLoop, Connection]:
        seat = self.seat
        if seat.loop is None:
            seat.loop = asyncio.new_event_loop()
        if seat.connection is None or seat.connection.is_closed():
            seat.connection = seat.loop.run_until_complete(self.opener.connect())
            self.seats = [known for known in self.seats if known[0] is not seat.loop]
            self.seats.append((seat.loop, seat.connection))
        return seat.loop, seat.connection

    def _close(self) -> None:
        self.threads.shutdown()
        for loop, connection in self.seats:
            loop.run_until_complete(closed(connection))
            loop.close()


async def build_thread_hop(opener: Opener, meter: StorageMeter, size: int) -> ThreadHop:
    """Open one connection, so that a wrong address is an error now. Raises what connecting raises."""
    await closed(await opener.connect())
    settings = opener.settings
    gate = Gate("the thread pool's queue", settings.queue_bound, settings.queue_wait_s)
    meter.available(size)
    return ThreadHop(opener, ThreadPoolExecutor(size, "evenkeel-hop"), gate, meter, size)
