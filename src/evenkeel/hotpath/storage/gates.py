"""A bound on how much may wait, with a named answer to full: wait in line for a while, then refuse."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from evenkeel.hotpath.ports.errors import SaturatedError


class Gate:
    """Lets `bound` callers in at once, from any number of event loops; the others queue in order of arrival, at most
    `line` of them (None = as many as there are callers).
    """

    def __init__(self, what: str, bound: int, wait_s: float, line: int | None = None) -> None:
        self._what = what
        self._bound = bound
        self._wait_s = wait_s
        self._line_bound = line
        self._inside = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._lock = threading.Lock()  # held for a few instructions, never across an await

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._inside

    async def enter(self) -> None:
        """Take a place; leaves nothing behind when cancelled.

        Raises `SaturatedError` when the line is full or no place came free in time.
        """
        with self._lock:
            if self._inside < self._bound and not self._line:
                self._inside += 1
                return
            if self._line_bound is not None and len(self._line) >= self._line_bound:
                raise SaturatedError(self._what, 0.0)
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._line.append(place)
        try:
            async with asyncio.timeout(self._wait_s):
                await place
        except BaseException as error:
            self._withdraw(place)
            if isinstance(error, TimeoutError):
                raise SaturatedError(self._what, self._wait_s) from None
            raise

    def leave(self, count: int = 1) -> None:
        """Give `count` places back; safe from any thread."""
        with self._lock:
            called = [self._line.popleft() for _ in range(min(count, len(self._line)))]
            self._inside -= count - len(called)
        for place in called:
            self._call_in(place)

    def _call_in(self, place: asyncio.Future[None]) -> None:
        """The place goes straight to the next in line, whichever loop it waits on."""
        try:
            place.get_loop().call_soon_threadsafe(self._admit, place)
        except RuntimeError:  # that loop is closed; its caller is gone
            self.leave()

    def _admit(self, place: asyncio.Future[None]) -> None:
        if place.done():
            self.leave()
        else:
            place.set_result(None)

    def _withdraw(self, place: asyncio.Future[None]) -> None:
        with self._lock:
            if place in self._line:
                self._line.remove(place)
                place.cancel()
                return
        if place.done() and not place.cancelled():
            self.leave()  # admitted and given up in the same moment
        else:
            place.cancel()  # called in, not yet admitted: _admit gives the place back
