"""What write queues tell about themselves: the same series for both paths."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from evenkeel.hotpath.ports.write_queue import Priority, Put
from evenkeel.kernel.metrics import ITEMS, Meters
from evenkeel.kernel.switch import Path


class QueueMeter:
    """The metrics of one queue; its name is a label, so names are few and fixed."""

    def __init__(self, meters: Meters, path: Path, queue: str) -> None:
        self._labels = (path.value, queue)
        self._puts = meters.counter("writes", "queue_puts", "Records, by what became of them.", _PUT)
        self._lost = meters.counter("writes", "queue_dropped", "Records dropped.", ["queue", "priority", "reason"])
        self._refusals = meters.counter("writes", "queue_refused", "Critical records that found no room.", ["queue"])
        self._seconds = meters.histogram("writes", "queue_write", "seconds", "Duration of a write.", ["queue"])
        self._items = meters.histogram("writes", "queue_batch", "items", "Batch size.", ["queue"], bounds=ITEMS)
        self._level = meters.gauge("writes", "queue_level", "ratio", "How full the queue is.", ["queue"])
        self._alerts = meters.gauge("writes", "queue_alert", "info", "1 above the high water mark.", ["queue"])
        self._inline = meters.counter("writes", "queue_inline", "Records written by their caller.", ["queue"])

    def put(self, priority: Priority, put: Put) -> None:
        """What became of a record."""
        self._puts.labels(*self._labels, priority.name.lower(), put.value).inc()

    def dropped(self, priority: Priority, count: int, reason: str = "full") -> None:
        """Records that are gone."""
        self._lost.labels(*self._labels, priority.name.lower(), reason).inc(count)

    def refused(self) -> None:
        """A critical record found no room; its caller was told."""
        self._refusals.labels(*self._labels).inc()

    def inline(self) -> None:
        """A caller wrote its record itself."""
        self._inline.labels(*self._labels).inc()

    @contextmanager
    def write(self, records: int) -> Iterator[None]:
        """Around one call of the sink."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.labels(*self._labels).observe(time.perf_counter() - started)
            self._items.labels(*self._labels).observe(records)

    def level(self, ratio: float, *, alert: bool) -> None:
        """How full it is."""
        self._level.labels(*self._labels).set(ratio)
        self._alerts.labels(*self._labels).set(alert)


_PUT = ("queue", "priority", "outcome")
