"""Time, passed in: a clock that tells both times, and one for tests that moves only when told.

Two times, never mixed: `monotonic_s` for durations and deadlines inside this process, `wall_s` for what other processes
read. A wall clock may jump (an administrator, a suspended machine); a monotonic one never runs backwards.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """What a room may ask of time."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never decreases."""
        ...

    def wall_s(self) -> float:
        """Unix time in seconds; may jump in both directions."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds of monotonic time; zero or less yields once."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        """`time.monotonic()`."""
        return time.monotonic()

    def wall_s(self) -> float:
        """`time.time()`."""
        return time.time()

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(max(0.0, delay_s))


@dataclass(slots=True)
class ManualClock:
    """A clock for tests: time stands still until `advance` or `jump`; sleepers wake in the order of their deadlines."""

    monotonic: float = 1_000.0
    wall: float = 1_700_000_000.0
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _turn: int = 0

    def monotonic_s(self) -> float:
        """The set monotonic time."""
        return self.monotonic

    def wall_s(self) -> float:
        """The set wall time."""
        return self.wall

    async def sleep(self, delay_s: float) -> None:
        """Wait until `advance` has carried the clock past the deadline."""
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turn += 1
        entry = (self.monotonic + delay_s, self._turn, wake)
        self._sleepers.append(entry)
        try:
            await wake
        finally:
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper is not entry]

    @property
    def sleepers(self) -> int:
        """How many coroutines wait in `sleep` now."""
        return len(self._sleepers)

    def jump(self, wall_s: float) -> None:
        """Set the wall clock alone, as an administrator or a time server would."""
        self.wall = wall_s

    def advance(self, delay_s: float) -> None:
        """Move both clocks forward and wake every sleeper whose deadline has come."""
        self.monotonic += delay_s
        self.wall += delay_s
        due = sorted(entry for entry in self._sleepers if entry[0] <= self.monotonic)
        for _, _, wake in due:
            if not wake.done():
                wake.set_result(None)
