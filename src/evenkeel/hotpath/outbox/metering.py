"""What the dispatcher tells about itself: the same series for both paths, measured around submit and sender."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from evenkeel.hotpath.ports.dispatcher import Dispatcher, DispatchState, SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, NewMessage, OutboxDepth
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.metrics import ITEMS, Meters

AGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0)


@dataclass(frozen=True, slots=True)
class OutboxMeter:
    """The metrics of one dispatcher, all of one `path`. Labels never hold an account."""

    path: str
    submitted: Counter
    tries: Counter
    sends: Histogram
    ages: Histogram
    settled: Counter
    deferrals: Counter
    fenced_writes: Counter
    batches: Histogram
    in_flight: Gauge
    breakers: Gauge
    depths: Gauge
    oldest: Gauge

    def stored(self, status: str, count: int = 1) -> None:
        """Rows settled, by what became of them."""
        self.settled.labels(self.path, status).inc(count)

    def deferred(self, why: str) -> None:
        """Given back untried."""
        self.deferrals.labels(self.path, why).inc()

    def fenced(self, count: int) -> None:
        """Outcomes that came too late and changed nothing."""
        if count:
            self.fenced_writes.labels(self.path).inc(count)

    def claimed(self, count: int) -> None:
        """Rows of one claim."""
        self.batches.labels(self.path).observe(count)

    def depth(self, depth: OutboxDepth) -> None:
        """How full the outbox is, for all dispatchers together."""
        for name in ("waiting", "sending", "failed"):
            self.depths.labels(self.path, name).set(getattr(depth, name))
        self.oldest.labels(self.path).set(depth.oldest_s)

    def state(self, state: DispatchState) -> None:
        """What is under way."""
        self.in_flight.labels(self.path).set(state.in_flight)
        self.breakers.labels(self.path).set(len(state.open_breakers))


def build_meter(meters: Meters, path: str) -> OutboxMeter:
    """The metrics of a dispatcher on this path."""
    return OutboxMeter(
        path,
        submitted=meters.counter("outbox", "submitted", "Messages queued that were new."),
        tries=meters.counter("outbox", "tries", "Sends, by what came of them.", ["result"]),
        sends=meters.histogram("outbox", "send", "seconds", "Duration of a send."),
        ages=meters.histogram("outbox", "age", "seconds", "From queued to sent.", bounds=AGES),
        settled=meters.counter("outbox", "settled", "Rows settled, by new state.", ["status"]),
        deferrals=meters.counter("outbox", "deferred", "Rows given back untried, by reason.", ["why"]),
        fenced_writes=meters.counter("outbox", "fenced", "Outcomes rejected because the attempt was over."),
        batches=meters.histogram("outbox", "claim", "items", "Rows per claim.", bounds=ITEMS),
        in_flight=meters.gauge("outbox", "in_flight", "items", "Sends under way here."),
        breakers=meters.gauge("outbox", "open_breakers", "items", "Accounts that are left alone for a while."),
        depths=meters.gauge("outbox", "queue", "items", "Rows by state, everywhere.", ["state"]),
        oldest=meters.gauge("outbox", "oldest", "seconds", "Age of the oldest waiting row."),
    )


class MeteredDispatcher:
    """A `Dispatcher`, measured from outside."""

    def __init__(self, dispatcher: Dispatcher, meter: OutboxMeter, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._meter = meter
        self._clock = clock

    async def submit(self, *messages: NewMessage) -> int:
        """See the port."""
        new = await self._dispatcher.submit(*messages)
        self._meter.submitted.labels(self._meter.path).inc(new)
        return new

    async def serve(self, sender: Sender) -> None:
        """See the port."""
        await self._dispatcher.serve(self._measured(sender))

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """See the port."""
        return await self._dispatcher.replay(outbox_ids)

    def state(self) -> DispatchState:
        """See the port."""
        return self._dispatcher.state()

    def _measured(self, sender: Sender) -> Sender:
        async def measured(message: ClaimedMessage) -> SendResult:
            started = time.perf_counter()
            result = "raised"
            try:
                sent = await sender(message)
                result = sent.kind.value
                if sent.kind is SendClass.SENT:
                    age_s = max(0.0, self._clock.wall_s() - message.queued_at)
                    self._meter.ages.labels(self._meter.path).observe(age_s)
                return sent
            except asyncio.CancelledError:
                result = "stopped"
                raise
            finally:
                self._meter.sends.labels(self._meter.path).observe(time.perf_counter() - started)
                self._meter.tries.labels(self._meter.path, result).inc()
                self._meter.state(self._dispatcher.state())

        return measured
