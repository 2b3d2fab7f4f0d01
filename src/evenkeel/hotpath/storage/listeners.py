"""Wake-ups inside the process: who listens, and what is gathered for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from evenkeel.hotpath.ports.wakeups import Channel, Listener, Mode
from evenkeel.hotpath.storage.metering import StorageMeter

KEYS_BOUND = 2_000
"""Distinct keys gathered per channel; over it one "look at all" says the same in fewer bytes."""
Send = Callable[[Channel, Sequence[str]], Awaitable[None]]


class Listeners:
    """Calls listeners at once, and hands gathered keys to `send` every `coalesce_s`. One per event loop."""

    def __init__(self, coalesce_s: float, meter: StorageMeter, send: Send | None = None) -> None:
        self._coalesce_s = coalesce_s
        self._meter = meter
        self._send = send
        self._listeners: dict[Channel, list[Listener]] = {channel: [] for channel in Channel}
        self._gathered: dict[Channel, set[str]] = {channel: set() for channel in Channel}
        self._rounds: set[asyncio.Task[None]] = set()  # those that are sending
        self._timer: asyncio.TimerHandle | None = None  # starts the next one
        self._mode = Mode.LOCAL
        meter.wakeups(self._mode)

    @property
    def mode(self) -> Mode:
        """How wake-ups from other processes arrive now."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Told by whoever keeps the connection; back from POLL, listeners look at everything once."""
        back = self._mode is not mode and mode is Mode.LISTEN
        self._mode = mode
        self._meter.wakeups(mode)
        if back:
            for channel in Channel:
                self.tell(channel, ())

    def wake(self, channel: Channel, key: str, *, at_once: bool = False) -> None:
        """See `ports.wakeups`."""
        self.tell(channel, (key,))
        if self._send is None:
            return
        if len(self._gathered[channel]) < KEYS_BOUND:
            self._gathered[channel].add(key)
        if at_once:
            self._start_round()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._coalesce_s, self._start_round)

    def listen(self, channel: Channel, listener: Listener) -> Callable[[], None]:
        """See `ports.wakeups`."""
        mine = self._listeners[channel]
        mine.append(listener)
        return lambda: mine.remove(listener) if listener in mine else None

    def tell(self, channel: Channel, keys: Sequence[str]) -> None:
        """Call the listeners here."""
        for listener in tuple(self._listeners[channel]):
            listener(keys)

    async def aclose(self) -> None:
        """Send what is gathered, tell nobody any more."""
        if self._timer is not None:
            self._start_round()
        if self._rounds:
            await asyncio.wait(self._rounds)
        for mine in self._listeners.values():
            mine.clear()

    def _start_round(self) -> None:
        """Take what is gathered and send it; whoever wakes from here on is carried by the next round."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        sending = asyncio.get_running_loop().create_task(self._send_gathered())
        self._rounds.add(sending)
        sending.add_done_callback(self._rounds.discard)

    async def _send_gathered(self) -> None:
        for channel, gathered in self._gathered.items():
            if not gathered or self._send is None:
                continue
            keys = () if len(gathered) >= KEYS_BOUND else tuple(gathered)
            gathered.clear()
            await self._send(channel, keys)
