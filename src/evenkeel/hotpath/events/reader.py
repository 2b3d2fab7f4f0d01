"""One reader of a ring: live while it keeps up, replaying from its own cursor when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.events.rules import BusRules
from evenkeel.hotpath.ports.bus import Delivery, Event, Live, Replayed, Settled
from evenkeel.hotpath.ports.stream_events import Cursor, HistoryLost, LossReason, Page


class Source(Protocol):
    """What a reader needs of its bus."""

    @property
    def rules(self) -> BusRules: ...
    @property
    def closed(self) -> bool:
        """The bus is closed: its readers end."""
        ...

    async def page(self, cursor: Cursor) -> Page:
        """Read storage after a cursor, however long storage takes to answer."""
        ...

    def look(self, session_id: str) -> None:
        """Have storage read for the ring."""
        ...

    def ask(self, ring: Ring) -> None:
        """Find out whether anything is at work in the session; the ring is woken when nothing is."""
        ...

    def left(self, ring: Ring) -> None:
        """A reader has gone."""
        ...


class RingReader:
    """`Subscription`. Holds a place (`_at`, an id; `_position`, in the ring), never events: slowness costs no memory."""

    __slots__ = (
        "_at",
        "_closed",
        "_delivered",
        "_endless",
        "_epoch",
        "_position",
        "_ready",
        "_ring",
        "_source",
        "_told_at",
        "_waiting",
    )

    def __init__(self, source: Source, ring: Ring, cursor: Cursor, position: int | None, *, endless: bool) -> None:
        self._source = source
        self._ring = ring
        self._at = cursor.event_id  # everything up to it was delivered, or will never be
        self._delivered = cursor.event_id
        self._epoch = cursor.epoch
        self._position = position
        self._endless = endless
        self._ready: list[Delivery] = []  # at most two: what is lost, and what comes after it; a deque takes 600 bytes
        self._told_at = -1
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def cursor(self) -> Cursor:
        """See the port."""
        return Cursor(self._ring.session_id, self._delivered, self._epoch)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while not (self._closed or self._source.closed):
            if self._position is None:
                again = await self._replay()
                if not (again or self._ready or self._connected):
                    await self._wait()
            delivery = self._ready.pop(0) if self._ready else self._from_ring()
            if delivery is not None:
                return self._noted(delivery)
            if self._connected:
                await self._wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """See the port."""
        if self._closed:
            return
        self._closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._source.left(self._ring)

    @property
    def _connected(self) -> bool:
        return self._position is not None

    def _from_ring(self) -> Delivery | None:
        ring, position = self._ring, self._position
        if position is None:
            return None
        if position < ring.base:  # too slow, or the ring begins anew: storage has it
            self._position = None
            return None
        if position < ring.end:
            delivery = ring.after(position, self._source.rules.delivery_events)
            self._position = position + len(delivery.events)
            return delivery if delivery.events[0].event_id > self._at else self._beyond(delivery)
        return None if self._endless else self._settled()

    def _beyond(self, delivery: Live | Replayed) -> Live | Replayed | None:
        """What is behind the cursor of a reader that was ahead of the ring: another instance has shown it more."""
        events = tuple(event for event in delivery.events if event.event_id > self._at)
        return replace(delivery, events=events) if events else None

    def _settled(self) -> Settled | None:
        """Once per silence: nothing is at work, and everything was delivered."""
        ring = self._ring
        if self._told_at == ring.end:
            return None
        if ring.quiet_at != ring.end:
            if not ring.busy:
                self._source.ask(ring)
            return None
        self._told_at = ring.end
        return Settled(self.cursor)

    async def _wait(self) -> None:
        ring = self._ring
        if self._closed or self._source.closed or (self._position is not None and self._position != ring.end):
            return
        self._waiting = ring.wait()
        try:
            await self._waiting
        finally:
            ring.unwait(self._waiting)
            self._waiting = None

    async def _replay(self) -> bool:
        """One page of storage after the cursor; at its end, back into the ring if the ring goes on from there.

        True = look again at once: there is more by now.
        """
        ring = self._ring
        settled_to = ring.settled_to  # as of before the read, so the read has seen all of it
        page = await self._source.page(Cursor(ring.session_id, self._at, self._epoch))
        newest = self._take(page)
        if page.more:
            return True
        # A cursor may be ahead of all that is stored, or of all that was ever said.
        stored_to = min(self._at, page.last_id)
        if ring.known and ring.readers > 1 and stored_to > ring.last:
            self._source.look(ring.session_id)  # others read this ring: let it catch up, rather than begin anew
            return False
        ring.learn(stored_to, page.epoch)
        if newest is not None and newest.terminal:
            ring.saw_end(newest.event_id)
        self._at = max(self._at, min(settled_to, ring.last))
        self._position = ring.position_after(self._at)
        self._missed(ring)
        return self._position is None and ring.settled_to > settled_to

    def _missed(self, ring: Ring) -> None:
        """A wake-up came while the ring did not know yet from where to read."""
        if ring.missed and ring.known:
            ring.missed = False
            self._source.look(ring.session_id)

    def _take(self, page: Page) -> Event | None:
        """Ready to be delivered; answers with the newest event of the page."""
        if page.lost is not None:
            self._ready.append(page.lost)
            self._at = 0 if page.lost.reason is LossReason.RESET else max(self._at, page.lost.last_id)
        self._epoch = page.epoch or self._epoch
        if page.events:
            opened = self._source.rules.envelope.opened
            events = tuple(opened(page.session_id, page.epoch, stored) for stored in page.events)
            self._ready.append(Replayed(events))
            self._at = events[-1].event_id
            return events[-1]
        return None

    def _noted(self, delivery: Delivery) -> Delivery:
        if isinstance(delivery, HistoryLost):
            self._delivered = 0 if delivery.reason is LossReason.RESET else delivery.last_id
        elif not isinstance(delivery, Settled):
            last: Event = delivery.events[-1]
            self._delivered, self._epoch = last.event_id, last.epoch or self._epoch
            self._at = max(self._at, last.event_id)
        return delivery
