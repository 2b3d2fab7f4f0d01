"""Rollback path: every call hops to a thread, opens a connection, runs one transaction, and closes it again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import apsw

from evenkeel.hotpath.storage.gates import Gate
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.hotpath.storage.sqlite.connections import Opener, translated
from evenkeel.hotpath.storage.sqlite.runner import Operation
from evenkeel.kernel.errors import UsageError

T = TypeVar("T")


@dataclass(slots=True)
class ThreadHop:
    """A thread pool and what opens a connection."""

    opener: Opener
    threads: ThreadPoolExecutor
    gate: Gate
    meter: StorageMeter
    size: int
    keeper: apsw.Connection  # never used: but closing the last connection of a file writes the WAL back and removes it
    turn: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    async def write(self, operation: Operation[T]) -> T:
        """One thread hop, one connection, one transaction."""
        return await self._hop(operation, writes=True)

    async def read(self, operation: Operation[T]) -> T:
        """One thread hop, one connection, one snapshot."""
        return await self._hop(operation, writes=False)

    async def aclose(self) -> None:
        """Finish what was accepted."""
        if not self.closed:
            self.meter.available(-self.size)
        self.closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self.threads.shutdown()
        self.keeper.close()

    async def _hop(self, operation: Operation[T], *, writes: bool) -> T:
        if self.closed:
            raise UsageError("The storage is closed.", hint="Stop its users before the storage.")
        await self.gate.enter()
        started = time.perf_counter()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.threads, self._call, operation, writes, started
            )
        finally:
            self.gate.leave()

    def _call(self, operation: Operation[T], writes: bool, submitted_s: float) -> T:
        self.meter.waited(time.perf_counter() - submitted_s)
        if not writes:
            with self.meter.working():
                return self._once(self.opener.reader, operation, "BEGIN")
        with (
            self.meter.working(),
            self.turn,
        ):  # SQLite's own waiting for the write lock is a sleep in the dark: under load some never get it
            return self._once(self.opener.writer, operation, "BEGIN IMMEDIATE")

    @staticmethod
    def _once(connect: Callable[[], apsw.Connection], operation: Operation[T], begin: str) -> T:
        with translated():
            connection = connect()
            try:
                return _in_transaction(connection, operation, begin)
            finally:
                connection.close()


def _in_transaction(connection: apsw.Connection, operation: Operation[T], begin: str) -> T:
    connection.execute(begin)
    try:
        value = operation(connection)
        connection.execute("COMMIT")
        return value
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def build_thread_hop(opener: Opener, settings: StorageSettings, meter: StorageMeter) -> ThreadHop:
    """Every call opens its own connection. Raises what opening raises."""
    gate = Gate("the thread pool's queue", settings.queue_bound, settings.queue_wait_s)
    size = settings.hop_threads
    hop = ThreadHop(opener, ThreadPoolExecutor(size, "evenkeel-hop"), gate, meter, size, opener.writer())
    meter.available(size)
    return hop
