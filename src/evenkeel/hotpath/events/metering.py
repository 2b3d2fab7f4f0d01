"""What the bus tells about itself: the same series for both paths."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from evenkeel.hotpath.ports.bus import Bus, Delivery, Event, Live, Replayed, Settled, Subscription
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path

_NAMES = {Live: "live", Replayed: "replayed", Settled: "settled"}


class BusMeter:
    """The metrics of one path. Children are looked up once: a publish costs one addition."""

    def __init__(self, meters: Meters, path: Path) -> None:
        name = path.value
        self._published = meters.counter("events", "published", "Events handed to the bus.").labels(name)
        self._deliveries = meters.counter("events", "deliveries", "Deliveries to readers, by outcome.", ["outcome"])
        self._delivered = meters.counter("events", "delivered", "Events delivered to readers.").labels(name)
        self._reads = meters.counter("events", "reads", "Reads of storage, by purpose.", ["purpose"])
        self._stale = meters.counter("events", "stale", "Events refused because newer ones were published.")
        self._flushes = meters.counter("events", "flushes", "Flushes announced to other instances.").labels(name)
        self.readers = meters.gauge("events", "readers", "items", "Readers here.").labels(name)
        self._path = name
        self._outcomes: dict[str, Counter] = {}  # one per outcome
        self._purposes: dict[str, Counter] = {}  # one per purpose

    def published(self) -> None:
        """An event came in."""
        self._published.inc()

    def flushed(self) -> None:
        """A flush was announced."""
        self._flushes.inc()

    def stale(self) -> None:
        """An event came from a writer that was superseded."""
        self._stale.labels(self._path).inc()

    def read(self, purpose: str) -> None:
        """Storage was read: `backfill` for one reader, `relay` for all, `activity`, or `poll`."""
        counter = self._purposes.get(purpose)
        if counter is None:
            counter = self._purposes[purpose] = self._reads.labels(self._path, purpose)
        counter.inc()

    def delivered(self, delivery: Delivery) -> None:
        """A reader got something."""
        outcome = _NAMES.get(type(delivery), "lost")
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = self._deliveries.labels(self._path, outcome)
        counter.inc()
        if isinstance(delivery, (Live, Replayed)):
            self._delivered.inc(len(delivery.events))


@dataclass(slots=True)
class MeteredReader:
    """A subscription, counted."""

    inner: Subscription
    meter: BusMeter
    open: bool = True

    @property
    def cursor(self) -> Cursor:
        """See the port."""
        return self.inner.cursor

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        delivery = await self.inner.__anext__()
        self.meter.delivered(delivery)
        return delivery

    async def aclose(self) -> None:
        """See the port."""
        if self.open:
            self.open = False
            self.meter.readers.dec()
        await self.inner.aclose()


@dataclass(frozen=True, slots=True)
class MeteredBus:
    """Around both paths; a session takes the one that its switch names."""

    of: Callable[[str], tuple[Bus, BusMeter]]

    def publish(self, event: Event) -> None:
        """See the port."""
        bus, meter = self.of(event.session_id)
        meter.published()
        bus.publish(event)

    async def subscribe(self, cursor: Cursor | None, session_id: str, *, endless: bool = False) -> Subscription:
        """See the port."""
        bus, meter = self.of(session_id)
        reader = MeteredReader(await bus.subscribe(cursor, session_id, endless=endless), meter)
        meter.readers.inc()
        return reader

    def flushed(self, session_id: str, last_id: int) -> None:
        """See the port."""
        bus, meter = self.of(session_id)
        meter.flushed()
        bus.flushed(session_id, last_id)

    def readers(self, session_id: str) -> int:
        """See the port."""
        return self.of(session_id)[0].readers(session_id)


def gauges(meters: Meters, path: Path) -> tuple[Gauge, Gauge]:
    """Sessions with a ring, and the bytes in all rings; sampled when scraped."""
    rings = meters.gauge("events", "rings", "items", "Sessions with events in memory.")
    size = meters.gauge("events", "memory", "bytes", "Payload bytes in memory.")
    return rings.labels(path.value), size.labels(path.value)
