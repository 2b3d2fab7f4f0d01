"""The process looks at itself: how late its loop is, how many threads and tasks it has, how busy its thread pool is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.metrics import Meters

POOL_THREADS = 8


@asynccontextmanager
async def watching_process(meters: Meters, profile: str, clock: Clock, every_s: float) -> AsyncIterator[None]:
    """Expose `process_*`, `python_gc_*` and `evenkeel_process_*`, and give the loop a thread pool with a cap.

    Every pool has an explicit cap: the default one grows with the machine, and its memory with it.
    """
    for collect in (ProcessCollector, PlatformCollector, GCCollector):
        await asyncio.to_thread(collect, registry=meters.registry)  # reads /proc
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="evenkeel-pool")
    loop.set_default_executor(pool)
    _gauges(meters, profile, loop, pool)
    lag = meters.histogram("process", "loop_lag", "seconds", "How late the event loop came back from a sleep.")
    try:
        async with background(_measure(lag.labels(profile).observe, clock, every_s), "evenkeel-process-watch"):
            yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _gauges(meters: Meters, profile: str, loop: asyncio.AbstractEventLoop, pool: ThreadPoolExecutor) -> None:
    threads = meters.gauge("process", "threads", "items", "Threads of this process.")
    threads.labels(profile).set_function(threading.active_count)
    tasks = meters.gauge("process", "tasks", "items", "Tasks on the event loop.")
    tasks.labels(profile).set_function(lambda: len(asyncio.all_tasks(loop)) if not loop.is_closed() else 0)
    queued = meters.gauge("process", "pool_waiting", "items", "Calls that wait for a thread of the pool.")
    queued.labels(profile).set_function(pool._work_queue.qsize)
    made = meters.gauge("process", "pool_threads", "items", "Threads that the pool has made.")
    made.labels(profile).set_function(lambda: len(pool._threads))


async def _measure(observe: Callable[[float], None], clock: Clock, every_s: float) -> None:
    while True:
        started = clock.monotonic_s()
        await clock.sleep(every_s)
        observe(max(0.0, clock.monotonic_s() - started - every_s))
