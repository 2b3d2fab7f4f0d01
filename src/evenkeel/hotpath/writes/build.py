"""The one place that chooses how events and records are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from evenkeel.hotpath.ports.bus import Bus
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.wakeups import Wakeups
from evenkeel.hotpath.ports.write_queue import QueueRules, WriteQueue
from evenkeel.hotpath.writes.batching import BatchingWriter
from evenkeel.hotpath.writes.metering import MeteredWriter, WriterMeter
from evenkeel.hotpath.writes.overflow import OverflowQueue
from evenkeel.hotpath.writes.queue_metering import QueueMeter
from evenkeel.hotpath.writes.rules import WriterRules
from evenkeel.hotpath.writes.stepwise import StepwiseWriter
from evenkeel.hotpath.writes.synchronous import SynchronousQueue
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

R = TypeVar("R")
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


@asynccontextmanager
async def build_write_queue(
    rules: QueueRules[R], switches: Switchboard, meters: Meters, *, clock: Clock | None = None
) -> AsyncIterator[WriteQueue[R]]:
    """An open queue: a named policy when full (optimised), or callers that write themselves (rollback).

    Closing writes what waits; raises `NotDrainedError` if the sink does not take it in time. Raises
    `ConfigurationError` for rules that leave no room.
    """
    if not 0 <= rules.reserved < rules.capacity or rules.batch_rows < 1:
        raise ConfigurationError(
            f"Write queue {rules.name}: capacity {rules.capacity}, reserved {rules.reserved}.",
            hint="Reserve fewer places than there are, and let a batch hold at least one record.",
        )
    time = clock or SystemClock()

    def overflow() -> OverflowQueue[R] | SynchronousQueue[R]:
        return OverflowQueue(rules, time, QueueMeter(meters, Path.OPTIMISED, rules.name))

    def synchronous() -> OverflowQueue[R] | SynchronousQueue[R]:
        return SynchronousQueue(rules, time, QueueMeter(meters, Path.ROLLBACK, rules.name))

    async with switches.pick("overflow", optimised=overflow, rollback=synchronous) as queue:
        yield queue
