"""The one place that chooses how events reach their readers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from evenkeel.hotpath.events.memory import MemoryBus
from evenkeel.hotpath.events.metering import BusMeter, MeteredBus, gauges
from evenkeel.hotpath.events.polling import PollingBus
from evenkeel.hotpath.events.rules import Activity, BusRules
from evenkeel.hotpath.ports.agent_tasks import AgentTasks
from evenkeel.hotpath.ports.bus import Bus
from evenkeel.hotpath.ports.leases import SessionLeases
from evenkeel.hotpath.ports.stream_events import StreamEvents
from evenkeel.hotpath.ports.wakeups import Wakeups
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

OnePath = tuple[MemoryBus | PollingBus, BusMeter]


def live_evidence(leases: SessionLeases, tasks: AgentTasks) -> Activity:
    """Sessions with a live lease, or with a task that waits or runs: what "still active" rests on."""

    async def active(session_ids: Sequence[str]) -> frozenset[str]:
        held = await leases.live(session_ids)
        return frozenset(held) | await tasks.active(session_ids)

    return active


@asynccontextmanager
async def build_bus(
    rules: BusRules,
    switches: Switchboard,
    meters: Meters,
    *,
    events: StreamEvents,
    wakeups: Wakeups,
    active: Activity,
) -> AsyncIterator[Bus]:
    """An open bus: rings in memory (optimised) or a table that every reader polls (rollback), by session.

    `active` says in which sessions something is at work; see `live_evidence`.
    """

    def memory() -> OnePath:
        meter = BusMeter(meters, Path.OPTIMISED)
        bus = MemoryBus(rules, events, wakeups, active, meter)
        rings, size = gauges(meters, Path.OPTIMISED)
        rings.set_function(lambda: len(bus.rings))
        size.set_function(lambda: bus.rings.size_bytes)
        return bus, meter

    def polling() -> OnePath:
        meter = BusMeter(meters, Path.ROLLBACK)
        return PollingBus(rules, events, wakeups, active, meter), meter

    chosen = switches.split("events", optimised=memory, rollback=polling)
    async with AsyncExitStack() as opened:
        for bus, _ in chosen.parts:
            await opened.enter_async_context(bus)
        yield MeteredBus(chosen.of)
