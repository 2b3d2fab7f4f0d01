"""The first level: a semaphore as large as this instance's share. Taking a slot is check and reserve in one step."""

from __future__ import annotations

import asyncio
from collections import deque

from evenkeel.hotpath.ports.errors import QueueFullError, SaturatedError
from evenkeel.kernel.clock import Clock


class Slots:
    """`ceiling` slots until `valid_until` (monotonic); after it the share may be someone else's and none is given.

    Waiters are served in order of arrival; a slot that is given back goes straight to the first of them.
    """

    __slots__ = ("_clock", "_line", "_line_bound", "ceiling", "in_use", "valid_until")

    def __init__(self, clock: Clock, line_bound: int) -> None:
        self._clock = clock
        self._line_bound = line_bound
        self._line: deque[asyncio.Future[None]] = deque()
        self.ceiling = self.in_use = 0
        self.valid_until = 0.0

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._line)

    def take(self) -> bool:
        """A slot, if one is free and nobody waits for it."""
        if self.in_use < self.ceiling and not self._line and self._clock.monotonic_s() < self.valid_until:
            self.in_use += 1
            return True
        return False

    async def wait(self, within_s: float) -> None:
        """Take a slot, in order of arrival. Raises `SaturatedError`, or `QueueFullError` when the line is full."""
        if len(self._line) >= self._line_bound:
            raise QueueFullError("The line for a session slot", self._line_bound)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            async with asyncio.timeout(within_s):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self.give()  # called in and given up in the same moment
            elif place in self._line:
                self._line.remove(place)
            if isinstance(error, TimeoutError):
                raise SaturatedError("the session limit", within_s) from None
            raise

    def give(self) -> None:
        """Give a slot back; the first in line has it at once."""
        self.in_use -= 1
        self.admit()

    def admit(self) -> None:
        """Let in as many as there are slots."""
        while self._line and self.in_use < self.ceiling and self._clock.monotonic_s() < self.valid_until:
            place = self._line.popleft()
            if not place.done():
                self.in_use += 1
                place.set_result(None)
