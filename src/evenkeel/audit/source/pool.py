"""Work on many items in a few processes that may crash or hang: each item gets an answer or the reason why not.

Batches are handed out as processes become free, two at a time, so that all stay busy to the end. When a process dies or
says nothing for too long, the batch it was at is tried again item by item, in a new process; the item that does it
twice is given up. Where the platform cannot fork, processes are spawned, and `work` has to be importable.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, NamedTuple, TypeVar

from evenkeel.kernel.forks import can_fork

Item = TypeVar("Item")
Work = Callable[[Item], bytes]  # must not raise: an exception ends the process

IN_HAND = 3  # batches a process has: one it works on and two that wait, so that it need not while this one is busy


class Crash(NamedTuple):
    """Why there is no answer for an item."""

    why: str


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    batches: deque[list[int]] = field(default_factory=deque)
    heard: float = 0.0  # when it last answered, or was given work while it had none


@dataclass(slots=True)
class _Pool(Generic[Item]):
    work: Work[Item]
    items: Sequence[Item]
    jobs: int
    stall_s: float
    waiting: deque[list[int]]
    workers: list[_Worker] = field(default_factory=list)


def in_processes(
    work: Work[Item],
    items: Sequence[Item],
    batches: Iterable[list[int]],
    *,
    jobs: int,
    stall_s: float = 60.0,
    meanwhile: Iterable[object] = (),
) -> Iterator[tuple[int, bytes | Crash]]:
    """Yields (number of the item, answer) in the order in which they come. `batches` are numbers of items.

    `meanwhile`: work for this process, a step of it whenever all hands are full; it may not get to the end. No process
    outlives the iteration, whichever way it ends."""
    pool = _Pool(work, items, max(jobs, 1), stall_s, deque(batches))
    steps = iter(meanwhile)
    try:
        while pool.waiting or pool.workers:
            _employ(pool)
            next(steps, None)
            yield from _listen(pool)
    finally:
        for each in pool.workers:
            _stop(each)


def _employ(pool: _Pool[Item]) -> None:
    """Starts processes while there is work for them, fills their hands, and lets those go that have nothing to do."""
    idle = sum(not each.batches for each in pool.workers)
    for _ in range(min(pool.jobs - len(pool.workers), len(pool.waiting) - idle)):
        pool.workers.append(_start(pool.work))
    for full in range(1, IN_HAND + 1):  # one for each before anyone gets a second
        for worker in pool.workers:
            if pool.waiting and len(worker.batches) < full:
                _hand(pool, worker)
    for worker in [each for each in pool.workers if not each.batches]:
        pool.workers.remove(worker)
        _stop(worker)


def _hand(pool: _Pool[Item], worker: _Worker) -> None:
    if not worker.batches:
        worker.heard = time.monotonic()
    batch = pool.waiting.popleft()
    worker.batches.append(batch)
    with contextlib.suppress(OSError):  # it has died; listening to it will tell
        worker.pipe.send([pool.items[each] for each in batch])


def _listen(pool: _Pool[Item]) -> Iterator[tuple[int, bytes | Crash]]:
    if not pool.workers:
        return
    patience = min(each.heard for each in pool.workers) + pool.stall_s - time.monotonic()
    ready = wait([each.pipe for each in pool.workers], timeout=max(patience, 0.0))
    for worker in list(pool.workers):
        if worker.pipe in ready:
            yield from _answers(pool, worker)
        elif time.monotonic() - worker.heard > pool.stall_s:
            yield from _lost(pool, worker, f"reading it took over {pool.stall_s:g} s")


def _answers(pool: _Pool[Item], worker: _Worker) -> Iterator[tuple[int, bytes | Crash]]:
    try:
        answers: list[bytes] = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(timeout=1)
        yield from _lost(pool, worker, f"the parser crashed on it (exit code {worker.process.exitcode})")
        return
    worker.heard = time.monotonic()
    yield from zip(worker.batches.popleft(), answers, strict=True)


def _lost(pool: _Pool[Item], worker: _Worker, why: str) -> Iterator[tuple[int, bytes | Crash]]:
    """Its first batch did it: alone that item is given up, else each is tried by itself. The others just wait again."""
    pool.workers.remove(worker)
    _stop(worker)
    suspects, *innocent = worker.batches
    pool.waiting.extendleft(reversed(innocent))
    if len(suspects) == 1:
        yield suspects[0], Crash(why)
    else:
        pool.waiting.extendleft([each] for each in reversed(suspects))


def _start(work: Work[Item]) -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    make: type[BaseProcess] = multiprocessing.get_context("spawn").Process
    if can_fork():
        make = multiprocessing.get_context("fork").Process
    # A forked process has our end of its own pipe too; while that is open it would never hear that we have gone.
    process = make(target=_serve, args=(work, theirs, ours if can_fork() else None), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, heard=time.monotonic())


def _serve(work: Work[Item], pipe: Connection, other_end: Connection | None) -> None:
    """The life of a process: answer batches until told to go, or the other end closes."""
    if other_end is not None:
        other_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    gc.disable()  # what is made here has no cycles; saves about a tenth
    with contextlib.suppress(EOFError, OSError):
        while batch := pipe.recv():
            pipe.send([work(each) for each in batch])


def _stop(worker: _Worker) -> None:
    """Ends a process: one that is at work is killed, one that waits is sent home."""
    if not worker.batches:
        with contextlib.suppress(OSError):
            worker.pipe.send(())
            worker.process.join(timeout=1)
    worker.pipe.close()
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.process.close()
