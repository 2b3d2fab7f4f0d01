"""What the operating system says of processes and their children: memory, threads, descriptors, CPU, bytes written."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
import psutil


class Census(msgspec.Struct, frozen=True):
    """Sums over a tree of processes. Bytes; CPU in seconds since the start of each process."""

    rss: int = 0
    threads: int = 0
    descriptors: int = 0
    cpu_s: float = 0.0
    written: int = 0  # to the block layer, where the system counts it
    processes: int = 0


def census(pids: Iterable[int]) -> Census:
    """Now, over these processes and all below them. A process that is gone counts nothing."""
    total = Census()
    for process in _tree(pids):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            total = _added(total, process)
    return total


def _tree(pids: Iterable[int]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for each in (root, *root.children(recursive=True)):
                found[each.pid] = each
    return list(found.values())


def _added(total: Census, process: psutil.Process) -> Census:
    with process.oneshot():
        times = process.cpu_times()
        return Census(
            rss=total.rss + process.memory_info().rss,
            threads=total.threads + process.num_threads(),
            descriptors=total.descriptors + process.num_fds(),
            cpu_s=total.cpu_s + times.user + times.system,
            written=total.written + _written(process),
            processes=total.processes + 1,
        )


def _written(process: psutil.Process) -> int:
    try:
        return int(process.io_counters().write_bytes)
    except (AttributeError, psutil.Error):  # not counted on every system
        return 0
