"""Runs of the command line in processes of their own: few at once, few that wait, each with an end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from evenkeel.kernel.errors import OverloadedError, UnavailableError

WAITING = 8  # calls that wait for their turn; one more is refused
MAX_OUTPUT = 64_000_000  # bytes of stdout
MAX_ERROR = 4_000  # bytes of stderr that are kept, from its end


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run came to."""

    status: int
    output: str
    error: str


@dataclass(slots=True)
class _Child:
    """One run's process, which may be ended from another thread, before it has begun too."""

    arguments: Sequence[str]
    timeout_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | None = None
    ended: bool = False

    def run(self) -> Finished:
        """In a thread. stdin is empty: a child must not read what the client sends to the server."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
            with self.lock:
                if self.ended:
                    return Finished(-1, "", "")
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "evenkeel", *self.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=error,
                    start_new_session=True,
                )
            try:
                status = self.process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                self.end()
                raise UnavailableError(
                    f"It took longer than {self.timeout_s:g} s and was ended.",
                    hint="Audit a part of the tree, or start the server with a longer --timeout.",
                ) from None
            return Finished(status, _read(output, MAX_OUTPUT), _tail(error))

    def end(self) -> None:
        """Kill the process and its workers."""
        with self.lock:
            self.ended = True
            if self.process is None or self.process.poll() is not None:
                return
            with suppress(OSError):
                if os.name == "posix":
                    os.killpg(self.process.pid, signal.SIGKILL)
                else:
                    self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)


class Runs:
    """`limit`: how many run at once. `timeout_s`: after which one is ended."""

    def __init__(self, limit: int, timeout_s: float) -> None:
        self._limit, self._timeout_s = limit, timeout_s
        self._turn: asyncio.Semaphore | None = None
        self._inside = 0

    async def run(self, arguments: Sequence[str]) -> Finished:
        """`evenkeel ARGUMENTS`. Raises OverloadedError, or UnavailableError when it took too long.

        A caller that is cancelled ends the process."""
        if self._inside >= self._limit + WAITING:
            raise OverloadedError(f"{self._inside} audits are under way or waiting.", hint="Try again in a minute.")
        self._turn = self._turn or asyncio.Semaphore(self._limit)
        self._inside += 1
        try:
            async with self._turn:
                return await self._in_thread(_Child(arguments, self._timeout_s))
        finally:
            self._inside -= 1

    async def _in_thread(self, child: _Child) -> Finished:
        try:
            return await asyncio.to_thread(child.run)
        except asyncio.CancelledError:
            threading.Thread(target=child.end, daemon=True).start()
            raise


def _read(file: IO[bytes], most: int) -> str:
    size = file.seek(0, os.SEEK_END)
    if size > most:
        raise UnavailableError(f"The result has {size:,} bytes.", hint="Audit a part of the tree.")
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_ERROR))
    return file.read().decode("utf-8", "replace").strip()
