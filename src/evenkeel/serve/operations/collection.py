"""The collector of cycles, kept from stopping a process that serves.

Python looks at every object that lives whenever enough new ones have lived on. With 3,000 WebSocket connections and 500
streams that was half a second of standstill every five seconds: nothing else made the slowest deliveries so slow.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.metrics import Meters

YOUNG = (1_000, 5)
"""New containers before the young are looked at, and how often before those that lived on are too: a few milliseconds."""
NEVER = 1_000_000_000
M_MMAP_THRESHOLD = -3
"""`mallopt`'s name for the size from which glibc asks the system for memory apart from its heap (`mallopt(3)`)."""
NAMES = 100_000
"""As many names come and go at the start: more than the room in a table that holds half as many."""
LARGE_BYTES = 128 * 1024
"""glibc's own size, until it frees something larger and goes by that from then on, up to 32 MiB."""


@asynccontextmanager
async def collected_seldom(meters: Meters, *, every_s: float, clock: Clock | None = None) -> AsyncIterator[None]:
    """All objects are looked at every `every_s` alone, and what was made before the block never again; 0 = as Python does.

    Reference counts free nearly everything at once, and cycles that die young are found as ever. What is bounded by
    `every_s` is how long a cycle lives on that died old, and how long a peak is kept from the system (`give_back`).
    """
    if not every_s:
        yield
        return
    took = meters.histogram(
        "process", "collection", "seconds", "One look for cycles among all objects: nothing else runs."
    )
    found = meters.counter("process", "cyclic_objects", "What those looks found: it had died old, in cycles.")
    before = gc.get_threshold()

    async def look() -> None:
        while True:
            await (clock or SystemClock()).sleep(every_s)
            started = time.perf_counter()
            count = gc.collect()
            took.labels("none").observe(time.perf_counter() - started)
            found.labels("none").inc(count)
            await asyncio.to_thread(give_back)

    keep_large_apart()
    settle_names()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG, NEVER)
    try:
        async with background(look(), "evenkeel-collection"):
            yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def give_back() -> None:
    """Return to the system what glibc's malloc holds free in the middle of its heap; elsewhere there is nothing to do.

    By itself it returns the end of the heap alone, so one buffer that lives on up there keeps what a busy minute took
    (`malloc_trim(3)`).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_large_apart() -> None:
    """What is large lies apart from malloc's heap for good, and goes back to the system when it is freed (glibc alone).

    By itself glibc raises its bound to the largest block freed so far. The tables of maps that follow sessions are such
    blocks, made anew as entries come and go: they would lie scattered over the heap, and keep it from shrinking.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(M_MMAP_THRESHOLD, LARGE_BYTES)


def settle_names() -> None:
    """Python's table of interned names gets its lasting size now, not in the middle of the service.

    Names that come and go use up the room of a table that never holds more of them; then it is made anew, at three times what
    it holds, rounded up (`Objects/dictobject.c`). In a soak that was once, after some 19,000 requests: 940 KiB in one step,
    which looked like a leak. Where names never go (Python 3.12) they are left alone.
    """
    probe = sys.intern("evenkeel: a name")
    if sys.getrefcount(probe) < NEVER:
        for number in range(NAMES):
            sys.intern(f"evenkeel: name {number}")
