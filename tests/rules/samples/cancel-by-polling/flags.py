import asyncio
from typing import Protocol


class Clock(Protocol):
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class PollingCancellation:
    """What a flag is for is told by the class it belongs to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._flags: dict[str, str] = {}

    async def watch(self, run: str, task: asyncio.Task[None]) -> None:
        while not task.done():
            await self._clock.sleep(0.2)
            async with self._lock:
                flag = self._flags.get(run)
            if flag is not None:  # flagged
                task.cancel()
                return


class Features:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flags: dict[str, str] = {}

    async def until_known(self, name: str) -> str:
        while True:
            await self._clock.sleep(0.2)
            flag = self._flags.get(name)
            if flag is not None:
                return flag
