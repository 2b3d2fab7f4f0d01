"""Open streams of a process: counted, bounded, and ended in order when the process stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evenkeel.hotpath.ports.errors import QueueFullError
from evenkeel.kernel.errors import OverloadedError
from evenkeel.serve.api.meters import ApiMeter
from evenkeel.serve.api.settings import ApiSettings


class OpenStreams:
    """Every SSE response and WebSocket that is open here. Check and reserve are one step."""

    def __init__(self, settings: ApiSettings, meter: ApiMeter) -> None:
        self._settings = settings
        self._meter = meter
        self._stops: dict[int, Callable[[], None]] = {}  # bounded by `streams`
        self._by_caller: Counter[str] = Counter()
        self._next = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = False

    def __len__(self) -> int:
        return len(self._stops)

    @contextmanager
    def entered(self, channel: str, caller: str, stop: Callable[[], None]) -> Iterator[None]:
        """Take a place for as long as the block runs. `stop` asks the stream to end as soon as nothing is lost by it.

        Raises `QueueFullError` when there is no place, `OverloadedError` while the process stops.
        """
        self.check(caller)
        number, self._next = self._next, self._next + 1
        self._stops[number] = stop
        self._by_caller[caller] += 1
        self._empty.clear()
        self._meter.opened(channel, 1)
        try:
            yield
        finally:
            del self._stops[number]
            self._by_caller[caller] -= 1
            if self._by_caller[caller] <= 0:
                del self._by_caller[caller]
            self._meter.opened(channel, -1)
            if not self._stops:
                self._empty.set()

    def refuse_while_draining(self) -> None:
        """Raises `OverloadedError` once the process was told to stop."""
        if self.draining:
            raise OverloadedError("This process is stopping.", hint="Ask again; another one answers.")

    async def drain(self) -> None:
        """Take nothing more; let streams of live runs end, up to `drain_s`; the rest is cut by who closes sockets."""
        self.draining = True
        for stop in list(self._stops.values()):
            stop()
        try:
            async with asyncio.timeout(self._settings.drain_s):
                await self._empty.wait()
        except TimeoutError:
            return

    def check(self, caller: str) -> None:
        """Whether there is a place now. Raises as `entered`."""
        self.refuse_while_draining()
        settings = self._settings
        if len(self._stops) >= settings.streams:
            raise QueueFullError("The streams of this process", settings.streams, retry_after_s=5.0)
        if settings.streams_per_caller and self._by_caller[caller] >= settings.streams_per_caller:
            raise QueueFullError("The streams of this caller", settings.streams_per_caller, retry_after_s=5.0)
