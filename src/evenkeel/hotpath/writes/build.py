"""The one place that chooses how events are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from evenkeel.hotpath.ports.bus import Bus
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.wakeups import Wakeups
from evenkeel.hotpath.writes.batching import BatchingWriter
from evenkeel.hotpath.writes.metering import MeteredWriter, WriterMeter
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.hotpath.writes.stepwise import StepwiseWriter
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

OnePath = tuple[BatchingWriter | StepwiseWriter, WriterMeter]


@asynccontextmanager
async def build_event_writer(
    rules: WriterRules, switches: Switchboard, meters: Meters, *, events: StreamEvents, bus: Bus, wakeups: Wakeups
) -> AsyncIterator[EventWriter]:
    """An open writer: batches (optimised) or one write per event (rollback), by session.

    Closing stores what was emitted; raises `NotDrainedError` if that takes longer than `rules.drain_s`.
    """

    def batching() -> OnePath:
        meter = WriterMeter(meters, Path.OPTIMISED)
        return BatchingWriter(rules, events, bus, wakeups, meter), meter

    def stepwise() -> OnePath:
        meter = WriterMeter(meters, Path.ROLLBACK)
        return StepwiseWriter(rules, events, bus, wakeups, meter), meter

    chosen = switches.split("writes", optimised=batching, rollback=stepwise)
    async with AsyncExitStack() as opened:
        for writer, meter in chosen.parts:
            await opened.enter_async_context(writer)
            meter.watch(writer.level)
        yield MeteredWriter(chosen.of, tuple(writer for writer, _ in chosen.parts))
