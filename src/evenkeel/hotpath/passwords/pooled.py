"""Optimised path: a pool of its own, so many wait and no more, and a breaker that opens when the queue grows old."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from evenkeel.hotpath.passwords.hashing import Hashing, encoded
from evenkeel.hotpath.passwords.metering import HashMeter
from evenkeel.hotpath.ports.errors import QueueFullError, SaturatedError
from evenkeel.hotpath.ports.passwords import Attempt, HashRules, Verdict
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import UsageError

T = TypeVar("T")
WHAT = "the password pool"


def yield_to_others(niceness: int) -> None:
    """Lower the priority of this thread alone: on a busy machine a hash waits for the event loop, not the loop for a hash
    (measured: half the delay of a stream's pieces under a flood of logins). Linux has a priority for each thread;
    elsewhere it would be that of the whole process, and nothing is done.
    """
    if niceness > 0 and sys.platform == "linux":
        mine = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, mine, min(19, os.getpriority(os.PRIO_PROCESS, mine) + niceness))


class PooledHasher:
    """Open with `open_pooled`. Argon2 releases the interpreter lock, so the loop runs on while a thread hashes."""

    def __init__(self, hashing: Hashing, rules: HashRules, clock: Clock, meter: HashMeter) -> None:
        self._hashing = hashing
        self._rules = rules
        self._clock = clock
        self._meter = meter
        self._threads = ThreadPoolExecutor(
            rules.workers, "evenkeel-password", initializer=yield_to_others, initargs=(rules.niceness,)
        )
        self._free = asyncio.Semaphore(rules.workers)
        self._waiting: dict[int, float] = {}  # who waits since when, at most max_waiting; in order of arrival
        self._turn = 0
        self._last_s = 0.05
        self._closed = False
        meter.available(rules.workers)

    async def hash(self, password: str, attempt: Attempt) -> str:  # noqa: ARG002 counted outside
        """See the port."""
        data = encoded(password)
        return await self._in_pool(lambda: self._hashing.hash(data))

    async def verify(self, password: str, stored: str | None, attempt: Attempt) -> Verdict:  # noqa: ARG002
        """See the port."""
        data = encoded(password)
        return await self._in_pool(lambda: self._hashing.verify(data, stored))

    async def aclose(self) -> None:
        """Refuse what comes, let the threads finish what they have begun."""
        self._closed = True
        for _ in range(self._rules.workers):
            await self._free.acquire()
        self._threads.shutdown(wait=False)

    async def _in_pool(self, work: Callable[[], T]) -> T:
        self._admit()
        await self._wait_for_thread()
        started = self._clock.monotonic_s()
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._meter.hashing(1)
        running.add_done_callback(self._done)  # also when the caller has gone: the thread has not
        try:
            return await asyncio.shield(running)
        finally:
            self._last_s = max(0.001, self._clock.monotonic_s() - started)

    def _done(self, _running: asyncio.Future[T]) -> None:
        self._meter.hashing(-1)
        self._free.release()

    def _admit(self) -> None:
        """Refuse at once what would wait too long. The breaker is on the age of the queue, not on failed logins: those
        say nothing about load.
        """
        if self._closed:
            raise UsageError("The password pool is closed.", hint="Stop its users before it.")
        oldest = next(iter(self._waiting.values()), None)
        age_s = 0.0 if oldest is None else self._clock.monotonic_s() - oldest
        retry_s = self._retry_after_s()
        if age_s > self._rules.max_wait_s / 2:
            self._meter.refused("breaker")
            raise SaturatedError(WHAT, 0.0, retry_after_s=retry_s)
        if len(self._waiting) >= self._rules.max_waiting:
            self._meter.refused("full")
            raise QueueFullError(WHAT, self._rules.max_waiting, retry_after_s=retry_s)

    async def _wait_for_thread(self) -> None:
        self._turn += 1
        turn, since = self._turn, self._clock.monotonic_s()
        self._waiting[turn] = since
        self._meter.waiting(len(self._waiting))
        try:
            async with asyncio.timeout(self._rules.max_wait_s):
                await self._free.acquire()
        except TimeoutError:
            self._meter.refused("waited")
            raise SaturatedError(WHAT, self._rules.max_wait_s, retry_after_s=self._retry_after_s()) from None
        finally:
            del self._waiting[turn]
            self._meter.waiting(len(self._waiting))
        self._meter.waited(self._clock.monotonic_s() - since)

    def _retry_after_s(self) -> float:
        """When those who wait now will be through."""
        return max(1.0, (len(self._waiting) + 1) * self._last_s / self._rules.workers)


@asynccontextmanager
async def open_pooled(hasher: PooledHasher) -> AsyncIterator[None]:
    """Nothing to start; the threads end with the block."""
    try:
        yield
    finally:
        await hasher.aclose()
