"""Work in forked processes: isolated, bounded in time, answers as bytes.

A forked child shares its parent's memory until it writes to it, so large read-only tables need no copying and no encoding.
Where the platform cannot fork, the work is done in this process, one after another.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

NESTED_STOP_S = 2.0  # that a work gets to stop what it started

Send = Callable[[int | bytes], None]  # reports progress (a number), or hands over a part of the answer
Work = Callable[[Send], bytes]  # answers with bytes, the last part
Parts = Callable[[int, bytes], None]  # takes the parts that a work hands over before it ends


@dataclass(frozen=True, slots=True)
class Answer:
    """What one piece of work gave. `error` is "" on success, else why there is no result."""

    result: bytes
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Told:
    """Who hears what the works say."""

    progress: Callable[[int, int], None]
    part: Parts

    def hear(self, index: int, said: int | bytes) -> None:
        if isinstance(said, bytes):
            self.part(index, said)
        else:
            self.progress(index, said)


@dataclass(slots=True)
class _Running:
    index: int
    process: BaseProcess
    pipe: Connection
    started: float
    nested: bool


def can_fork() -> bool:
    """Whether the platform has the fork start method."""
    return "fork" in multiprocessing.get_all_start_methods()


def run_forked(
    works: Sequence[Work],
    *,
    timeout_s: float,
    on_progress: Callable[[int, int], None] | None = None,
    on_part: Parts | None = None,
    meanwhile: Callable[[], None] | None = None,
    nested: bool = False,
) -> list[Answer]:
    """Run each work in a process of its own, all at once; a crash or time-out costs only that one's answer.

    `on_progress(index, done)` and `on_part(index, part)` are called in this process, and `meanwhile` once all have started;
    what they raise is raised. Parts of a work that then fails have been handed over all the same.
    `nested`: the works start processes of their own. No child outlives the call, not even after an exception."""
    told = _Told(on_progress or _no_progress, on_part or _no_progress)
    if not can_fork():
        if meanwhile is not None:
            meanwhile()
        return [_in_process(index, work, told) for index, work in enumerate(works)]
    context = multiprocessing.get_context("fork")
    gc.freeze()  # a collection in a child would touch, and so copy, every page of the parent
    running: dict[Connection, _Running] = {}
    answers: dict[int, Answer] = {}
    try:
        for index, work in enumerate(works):
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(target=_child, args=(work, sending), daemon=not nested)
            process.start()
            sending.close()
            running[receiving] = _Running(index, process, receiving, time.monotonic(), nested)
        if meanwhile is not None:
            meanwhile()
        _collect(running, answers, timeout_s, told)
    finally:
        gc.unfreeze()
        for each in running.values():
            _stop(each)
    return [answers[index] for index in range(len(works))]


def _no_progress(_index: int, _done: object) -> None:
    """For callers that do not show any."""


def _in_process(index: int, work: Work, told: _Told) -> Answer:
    started = time.monotonic()
    try:
        return Answer(work(lambda said: told.hear(index, said)), "", time.monotonic() - started)
    except Exception as error:
        return Answer(b"", f"{type(error).__name__}: {error}", time.monotonic() - started)


def _child(work: Work, pipe: Connection) -> None:
    gc.disable()
    signal.signal(signal.SIGINT, _interrupted)
    try:
        pipe.send_bytes(b"R" + work(partial(_say, pipe)))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        with contextlib.suppress(OSError):  # nobody listens any more
            pipe.send_bytes(b"E" + f"{type(error).__name__}: {error}".encode(errors="replace"))
    finally:
        pipe.close()


def _interrupted(_number: int, _frame: object) -> None:
    """Ctrl-C and the parent may both say so; what stops our own children is not to be interrupted again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(pipe: Connection, said: int | bytes) -> None:
    pipe.send_bytes(b"D" + said if isinstance(said, bytes) else b"P" + str(said).encode())


def _collect(
    running: dict[Connection, _Running],
    answers: dict[int, Answer],
    timeout_s: float,
    told: _Told,
) -> None:
    while running:
        now = time.monotonic()
        left = min(each.started + timeout_s - now for each in running.values())
        ready = wait(list(running), timeout=max(left, 0.0))
        for pipe in ready:
            if isinstance(pipe, Connection):
                _receive(pipe, running, answers, told)
        now = time.monotonic()
        for pipe, each in list(running.items()):
            if now >= each.started + timeout_s:
                _stop(running.pop(pipe))
                answers[each.index] = Answer(b"", f"timed out after {timeout_s:g} s", now - each.started)


def _receive(
    pipe: Connection,
    running: dict[Connection, _Running],
    answers: dict[int, Answer],
    told: _Told,
) -> None:
    each = running[pipe]
    seconds = time.monotonic() - each.started
    try:
        message = pipe.recv_bytes()
    except (EOFError, OSError):
        each.process.join(timeout=1)
        answers[each.index] = Answer(b"", f"crashed (exit code {each.process.exitcode})", seconds)
        _stop(running.pop(pipe))
        return
    if message[:1] == b"P":
        told.hear(each.index, int(message[1:]))
        return
    if message[:1] == b"D":
        told.hear(each.index, message[1:])
        return
    failed = message[:1] == b"E"
    answers[each.index] = Answer(
        b"" if failed else message[1:], message[1:].decode(errors="replace") if failed else "", seconds
    )
    _stop(running.pop(pipe))


def _stop(each: _Running) -> None:
    each.pipe.close()
    each.process.join(timeout=0.2)
    if each.nested and each.process.is_alive():
        _interrupt(each.process)
    if each.process.is_alive():
        each.process.kill()
        each.process.join()


def _interrupt(process: BaseProcess) -> None:
    """Lets a work stop the processes that it started: killed, it would leave them behind."""
    with contextlib.suppress(OSError):
        if process.pid:  # 0 would be this whole group
            os.kill(process.pid, signal.SIGINT)
    process.join(timeout=NESTED_STOP_S)
