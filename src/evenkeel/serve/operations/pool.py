"""The loop's default thread pool, with a cap and with figures.

Every pool has an explicit cap: the default one grows with the machine's cores, and the allocator's arenas with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from evenkeel.kernel.metrics import Meters


@asynccontextmanager
async def capped_pool(meters: Meters, profile: str, threads: int) -> AsyncIterator[None]:
    """Give the running loop a pool of `threads` at most. Leaving drops calls that have not begun."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="evenkeel-pool")
    waiting = meters.gauge("process", "pool_waiting", "items", "Calls that wait for a thread of the loop's pool.")
    waiting.labels(profile).set_function(pool._work_queue.qsize)
    made = meters.gauge("process", "pool_threads", "items", "Threads that the loop's pool has made.")
    made.labels(profile).set_function(lambda: len(pool._threads))
    busy = meters.gauge("process", "pool_busy", "items", "Threads of the loop's pool at work.")
    busy.labels(profile).set_function(lambda: max(0, len(pool._threads) - pool._idle_semaphore._value))
    asyncio.get_running_loop().set_default_executor(pool)
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
