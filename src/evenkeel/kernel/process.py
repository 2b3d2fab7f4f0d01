"""Figures of the process: threads, memory, open descriptors, asyncio tasks, and how late the event loop is."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Gauge, Histogram

from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.metrics import Meters

PATH = "none"
"""The label `path` of figures that belong to no part."""
LATE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class ProcessMeter:
    """The figures of one process and its event loop."""

    threads: Gauge
    tasks: Gauge
    resident: Gauge
    descriptors: Gauge
    blocks: Gauge
    lag: Histogram

    async def sample(self) -> None:
        """Look once. What the operating system is asked is asked in a thread: /proc is a file system too."""
        self.threads.labels(PATH).set(threading.active_count())
        self.tasks.labels(PATH).set(len(asyncio.all_tasks()))
        self.blocks.labels(PATH).set(sys.getallocatedblocks())
        found = await asyncio.to_thread(of_the_system)
        if found is not None:
            resident_bytes, descriptors = found
            self.resident.labels(PATH).set(resident_bytes)
            self.descriptors.labels(PATH).set(descriptors)

    def late(self, seconds: float) -> None:
        """The loop came back so much later than asked."""
        self.lag.labels(PATH).observe(max(0.0, seconds))


def of_the_system() -> tuple[int, int] | None:
    """Resident bytes and open descriptors of this process; None where the system has no /proc."""
    if not sys.platform.startswith("linux"):
        return None
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    # Names alone: a Path for each of thousands of sockets held the interpreter for a tenth of a core.
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def build_meter(meters: Meters) -> ProcessMeter:
    """The metrics of this process."""
    return ProcessMeter(
        threads=meters.gauge("process", "threads", "items", "Threads."),
        tasks=meters.gauge("process", "tasks", "items", "Tasks of the event loop."),
        resident=meters.gauge("process", "resident", "bytes", "Resident memory."),
        descriptors=meters.gauge("process", "descriptors", "items", "Open descriptors."),
        blocks=meters.gauge(
            "process",
            "allocated_blocks",
            "items",
            "Blocks that Python's allocator has given out: when memory grows and these do not, nothing is kept.",
        ),
        lag=meters.histogram("process", "lag", "seconds", "How late the event loop wakes a sleeper.", bounds=LATE),
    )


@asynccontextmanager
async def watched_process(
    meters: Meters, *, every_s: float = 5.0, lag_every_s: float = 0.25, clock: Clock | None = None
) -> AsyncIterator[ProcessMeter]:
    """Samples the process every `every_s` and the loop's lag every `lag_every_s`, as long as the block runs."""
    meter, time = build_meter(meters), clock or SystemClock()

    async def watch() -> None:
        next_s = float("-inf")
        while True:
            if time.monotonic_s() >= next_s:
                await meter.sample()
                next_s = time.monotonic_s() + every_s
            due_s = time.monotonic_s() + lag_every_s
            await time.sleep(lag_every_s)
            meter.late(time.monotonic_s() - due_s)

    async with background(watch(), "evenkeel-process-figures"):
        yield meter
