"""What storage tells about itself: the same series for both paths, measured around the call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from evenkeel.hotpath.ports.wakeups import Mode
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.metrics import ITEMS, Meters


@dataclass(frozen=True, slots=True)
class StorageMeter:
    """The metrics of one storage, all for one `path`."""

    path: str
    slow_s: float
    calls: Histogram
    waits: Histogram
    batches: Histogram
    errors: Counter
    slow: Counter
    rows: Counter
    fenced: Counter
    again: Counter
    busy: Gauge
    places: Gauge
    mode: Gauge
    durations: dict[str, Histogram] = field(default_factory=dict)  # one per name of a call in the code

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Around one call, from the caller's side: waiting, running and the way back."""
        started = time.perf_counter()
        try:
            yield
        except EvenkeelError as error:
            self.errors.labels(self.path, type(error).__name__).inc()
            raise
        finally:
            took = time.perf_counter() - started
            self._duration(name).observe(took)
            if took > self.slow_s:
                self.slow.labels(self.path, name).inc()

    def _duration(self, name: str) -> Histogram:
        known = self.durations.get(name)
        if known is None:
            known = self.durations[name] = self.calls.labels(self.path, name)
        return known

    def waited(self, seconds: float) -> None:
        """How long a call waited for the writer, a reader or a connection."""
        self.waits.labels(self.path).observe(seconds)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around what a connection or a thread does; how many do, of `available`, is how busy the pool is."""
        busy = self.busy.labels(self.path)
        busy.inc()
        try:
            yield
        finally:
            busy.dec()

    def available(self, count: int) -> None:
        """Connections or threads that were added to the pool; negative when it closes."""
        self.places.labels(self.path).inc(count)

    def batch(self, units: int) -> None:
        """How many units of work shared one commit."""
        self.batches.labels(self.path).observe(units)

    def wrote(self, table: str, rows: int) -> None:
        """Rows written."""
        if rows:
            self.rows.labels(self.path, table).inc(rows)

    def rejected(self, what: str, count: int) -> None:
        """Writes that came with a number that was no longer current."""
        if count:
            self.fenced.labels(self.path, what).inc(count)

    def ran_again(self, why: str) -> None:
        """A transaction was rolled back by the database and runs once more. A deadlock has taken a second by then."""
        self.again.labels(self.path, why).inc()

    def wakeups(self, mode: Mode) -> None:
        """How wake-ups arrive now."""
        for each in Mode:
            self.mode.labels(self.path, each.value).set(each is mode)


def build_meter(meters: Meters, path: str, slow_s: float) -> StorageMeter:
    """The metrics of a storage on this path."""
    return StorageMeter(
        path,
        slow_s,
        calls=meters.histogram("storage", "call", "seconds", "Duration of a storage call.", ["call"]),
        waits=meters.histogram("storage", "wait", "seconds", "Time a call waited for a connection or a thread."),
        batches=meters.histogram("storage", "commit", "items", "Units of work in one commit.", bounds=ITEMS),
        errors=meters.counter("storage", "errors", "Calls that raised, by type.", ["type"]),
        slow=meters.counter("storage", "slow_calls", "Calls slower than the bound.", ["call"]),
        rows=meters.counter("storage", "rows_written", "Rows written.", ["table"]),
        fenced=meters.counter("storage", "fenced", "Writes rejected because their number was stale.", ["what"]),
        again=meters.counter("storage", "transactions_again", "Transactions run again, by the error.", ["error"]),
        busy=meters.gauge("storage", "connections_busy", "items", "Connections or threads at work."),
        places=meters.gauge("storage", "connections", "items", "Connections or threads that there may be."),
        mode=meters.gauge("storage", "wakeup_mode", "info", "1 for the way wake-ups arrive now.", ["mode"]),
    )
