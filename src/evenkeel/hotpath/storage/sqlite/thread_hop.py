"""Rollback path: every call hops to a thread, opens a connection, runs one transaction, and closes it again."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
    closed: bool = False

    async def write(self, operation: Operation[T]) -> T:
        """One thread hop, one connection, one transaction."""
        return await self._hop(operation, writes=True)

    async def read(self, operation: Operation[T]) -> T:
        """One thread hop, one connection, one snapshot."""
        return await self._hop(operation, writes=False)

    async def aclose(self) -> None:
        """Finish what was accepted."""
        self.closed = True
        await asyncio.get_running_loop().run_in_executor(None, self.threads.shutdown)

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
        with translated():
            connection = self.opener.writer() if writes else self.opener.reader()
            try:
                return _in_transaction(connection, operation, "BEGIN IMMEDIATE" if writes else "BEGIN")
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
    """Nothing to open: every call opens its own."""
    gate = Gate("the thread pool's queue", settings.queue_bound, settings.queue_wait_s)
    return ThreadHop(opener, ThreadPoolExecutor(settings.hop_threads, "evenkeel-hop"), gate, meter)
