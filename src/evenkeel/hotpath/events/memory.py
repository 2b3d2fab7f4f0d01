"""The optimised path: rings in memory; storage is read once per instance and flush, never per watching client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType

from evenkeel.hotpath.events.metering import BusMeter
from evenkeel.hotpath.events.reader import RingReader
from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.events.rings import Rings
from evenkeel.hotpath.events.rules import Activity, BusRules
from evenkeel.hotpath.events.upkeep import Upkeep
from evenkeel.hotpath.ports.bus import Event, Subscription
from evenkeel.hotpath.ports.errors import QueueFullError
from evenkeel.hotpath.ports.stream_events import Cursor, Page, StreamEvents
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import UnavailableError

RETRY_S = 0.05
RETRY_MAX_S = 1.0


class MemoryBus:
    """`Bus`, and the `Source` of its readers."""

    def __init__(
        self, rules: BusRules, events: StreamEvents, wakeups: Wakeups, active: Activity, meter: BusMeter
    ) -> None:
        self.rules = rules
        self.events = events
        self.rings = Rings(rules)
        self._wakeups = wakeups
        self._meter = meter
        self._upkeep = Upkeep(rules, self.rings, events, wakeups, active, meter)
        self.closed = False
        self._telling = False  # our own flush needs no look at storage
        self._stop_listening: Callable[[], None] | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> MemoryBus:
        self._stop_listening = self._wakeups.listen(Channel.EVENTS, self._heard)
        for work, name in ((self._upkeep.relay(), "relay"), (self._upkeep.sweep(), "sweep")):
            await self._open.enter_async_context(background(work, f"evenkeel-events-{name}"))
        await self._open.enter_async_context(background(self._upkeep.settle(), "evenkeel-events-settle"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop_listening is not None:
            self._stop_listening()
        self.closed = True
        self._upkeep.close()
        await self._open.aclose()
        for ring in self.rings:
            ring.wake()

    def publish(self, event: Event) -> None:
        """See the port. Readers are called in one go when the publisher next awaits."""
        ring = self.rings.made(event.session_id)
        if not self.rings.add(ring, event):
            self._meter.stale()
            return
        if ring.readers and not ring.waking:
            ring.waking = True
            asyncio.get_running_loop().call_soon(ring.wake)

    async def subscribe(self, cursor: Cursor | None, session_id: str, *, endless: bool = False) -> Subscription:
        """See the port. Raises `QueueFullError` when this instance has as many readers as it may."""
        if self.rings.readers >= self.rules.readers:
            raise QueueFullError("The readers of the event bus", self.rules.readers)
        ring = self.rings.made(session_id)
        fresh = ring.known and ring.readers > 0  # while it is read, it is kept up to date
        ring.readers += 1
        self.rings.readers += 1
        try:
            if cursor is None:
                cursor = await self._from_now_on(ring, fresh=fresh)
                fresh = ring.known
        except BaseException:
            self.left(ring)
            raise
        position = ring.position_after(cursor.event_id) if fresh and cursor.epoch in {0, ring.epoch} else None
        if position is not None:
            cursor = Cursor(session_id, cursor.event_id, ring.epoch)
        return RingReader(self, ring, cursor, position, endless=endless)

    def flushed(self, session_id: str, last_id: int) -> None:
        """See the port."""
        ring = self.rings.get(session_id)
        if ring is not None:
            blocked = ring.floor > ring.settled_to
            ring.settled(last_id)
            if blocked or (ring.readers and not ring.unstored):
                ring.wake()
        self._telling = True
        try:
            self._wakeups.wake(Channel.EVENTS, session_id)
        finally:
            self._telling = False

    def readers(self, session_id: str) -> int:
        """See the port."""
        ring = self.rings.get(session_id)
        return 0 if ring is None else ring.readers

    def look(self, session_id: str) -> None:
        """See `reader.Source`."""
        self._upkeep.look([session_id])

    def ask(self, ring: Ring) -> None:
        """See `reader.Source`."""
        self._upkeep.ask(ring)

    def left(self, ring: Ring) -> None:
        """See `reader.Source`."""
        ring.readers -= 1
        self.rings.readers -= 1

    async def page(self, cursor: Cursor) -> Page:
        """See `reader.Source`: waits while storage is away."""
        pause_s = RETRY_S
        while True:
            try:
                page = await self.events.read(cursor, limit=self.rules.delivery_events)
            except UnavailableError:
                await self.rules.clock.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 spreads retries
                pause_s = min(RETRY_MAX_S, pause_s * 2)
            else:
                self._meter.read("backfill")
                return page

    async def _from_now_on(self, ring: Ring, *, fresh: bool) -> Cursor:
        if fresh:
            return Cursor(ring.session_id, ring.last, ring.epoch)
        page = await self.events.read_tail(ring.session_id, limit=1)
        self._meter.read("backfill")
        if ring.readers == 1 or not ring.known:
            ring.learn(page.last_id, page.epoch)
        if ring.missed:
            ring.missed = False
            self.look(ring.session_id)
        return Cursor(ring.session_id, ring.last, ring.epoch)

    def _heard(self, keys: Sequence[str]) -> None:
        if not self._telling:
            self._upkeep.look(keys)
