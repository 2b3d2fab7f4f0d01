"""The rollback path: every reader reads the table on a timer, with or without news."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from types import TracebackType

from evenkeel.hotpath.events.metering import BusMeter
from evenkeel.hotpath.events.rules import Activity, BusRules
from evenkeel.hotpath.ports.bus import Delivery, Event, Replayed, Settled, Subscription
from evenkeel.hotpath.ports.errors import QueueFullError
from evenkeel.hotpath.ports.stream_events import Cursor, HistoryLost, LossReason, Page, StreamEvents
from evenkeel.hotpath.ports.wakeups import Channel, Wakeups
from evenkeel.kernel.errors import UnavailableError


class PollingBus:
    """`Bus` without memory: what is published is seen once it is stored, and what is never stored is never seen."""

    def __init__(
        self, rules: BusRules, events: StreamEvents, wakeups: Wakeups, active: Activity, meter: BusMeter
    ) -> None:
        self.rules, self.events, self.active, self.meter = rules, events, active, meter
        self._wakeups = wakeups
        self._readers: Counter[str] = Counter()  # bounded by rules.readers
        self._open: set[PollingReader] = set()

    async def __aenter__(self) -> PollingBus:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in tuple(self._open):
            await reader.aclose()

    def publish(self, event: Event) -> None:
        """See the port: nobody listens, everybody polls."""

    async def subscribe(self, cursor: Cursor | None, session_id: str, *, endless: bool = False) -> Subscription:
        """See the port."""
        if len(self._open) >= self.rules.readers:
            raise QueueFullError("The readers of the event bus", self.rules.readers)
        if cursor is None:
            page = await self.events.read_tail(session_id, limit=1)
            cursor = Cursor(session_id, page.last_id, page.epoch)
        reader = PollingReader(self, cursor, endless=endless)
        self._open.add(reader)
        self._readers[session_id] += 1
        return reader

    def flushed(self, session_id: str, last_id: int) -> None:  # noqa: ARG002 the port's
        """See the port: instances on the optimised path are woken all the same."""
        self._wakeups.wake(Channel.EVENTS, session_id)

    def readers(self, session_id: str) -> int:
        """See the port."""
        return self._readers[session_id]

    def left(self, reader: PollingReader) -> None:
        """A reader has gone."""
        self._open.discard(reader)
        self._readers[reader.cursor.session_id] -= 1
        self._readers += Counter()  # drops what is zero


class PollingReader:
    """`Subscription`: a read every `polling_s`, two with the look whether anything is at work."""

    def __init__(self, bus: PollingBus, cursor: Cursor, *, endless: bool) -> None:
        self._bus = bus
        self._cursor = cursor
        self._ready: deque[Delivery] = deque()
        self._endless = endless
        self._settled = False
        self._stopped = asyncio.Event()

    @property
    def cursor(self) -> Cursor:
        """See the port."""
        return self._cursor

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while not self._stopped.is_set():
            if self._ready:
                return self._noted(self._ready.popleft())
            if not await self._poll():
                await self._pause()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """See the port."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._bus.left(self)

    async def _poll(self) -> bool:
        """Whether there is something to deliver."""
        bus, session_id = self._bus, self._cursor.session_id
        try:
            at_work = self._endless or self._settled or session_id in await bus.active([session_id])  # before the read
            page = await bus.events.read(self._cursor, limit=bus.rules.delivery_events)
        except UnavailableError:
            return False
        bus.meter.read("poll")
        self._take(page)
        if not self._ready and not at_work:
            self._settled = True
            self._ready.append(Settled(Cursor(session_id, self._cursor.event_id, page.epoch)))
        return bool(self._ready)

    def _take(self, page: Page) -> None:
        if page.lost is not None:
            self._ready.append(page.lost)
        if page.events:
            opened = self._bus.rules.envelope.opened
            self._ready.append(Replayed(tuple(opened(page.session_id, page.epoch, each) for each in page.events)))
        self._cursor = Cursor(page.session_id, self._cursor.event_id, page.epoch or self._cursor.epoch)

    def _noted(self, delivery: Delivery) -> Delivery:
        session_id, epoch = self._cursor.session_id, self._cursor.epoch
        if isinstance(delivery, HistoryLost):
            at = 0 if delivery.reason is LossReason.RESET else delivery.last_id
            self._cursor = Cursor(session_id, at, epoch)
        elif not isinstance(delivery, Settled):
            self._settled = False
            self._cursor = Cursor(session_id, delivery.events[-1].event_id, epoch)
        return delivery

    async def _pause(self) -> None:
        await self._bus.rules.clock.sleep(self._bus.rules.polling_s)
