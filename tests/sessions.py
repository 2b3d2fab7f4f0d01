"""Sessions opened and closed through every part that keeps something by session; and a count of what is left."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from evenkeel.hotpath.bounded import MapRules, build_bounded
from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.events import BusRules, build_bus, live_evidence
from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.ports.bounded import BoundedMaps, LockTable
from evenkeel.hotpath.ports.bus import Bus, Settled
from evenkeel.hotpath.ports.cancellation import Cancellation
from evenkeel.hotpath.ports.event_writer import Draft, EventWriter
from evenkeel.hotpath.ports.limiter import Admission, Limiter
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import WriterRules, build_event_writer
from evenkeel.kernel.metrics import Meters
from tests.storages import Place

FINAL = Draft("final", {"answer": "done"}, terminal=True)


@dataclass(frozen=True)
class Parts:
    """What a session goes through."""

    limiter: Limiter
    bus: Bus
    writer: EventWriter
    cancellation: Cancellation
    maps: BoundedMaps
    profiles: dict[str, dict[str, str]]
    locks: LockTable


@asynccontextmanager
async def parts(place: Place, *, rings: int, capacity: int, synchronous: str = "full") -> AsyncIterator[Parts]:
    """All of them on one storage; `rings` and `capacity` are the caps of what is kept per session."""
    switches, meters = read_switches(place.profile), Meters()
    async with AsyncExitStack() as opened:
        storage = await opened.enter_async_context(place.open(meters, synchronous=synchronous))
        events, wakeups = storage.events, storage.wakeups
        active = live_evidence(storage.leases, storage.tasks)
        maps = await opened.enter_async_context(build_bounded(switches, meters))
        limiter = await opened.enter_async_context(
            build_limiter(LimiterRules(max_active=1_000), switches, meters, storage=storage)
        )
        rules = BusRules(rings=rings, settle_s=0.01, settle_max_s=0.05)
        bus = await opened.enter_async_context(
            build_bus(rules, switches, meters, events=events, wakeups=wakeups, active=active)
        )
        writer = await opened.enter_async_context(
            build_event_writer(WriterRules(batch_s=0.005), switches, meters, events=events, bus=bus, wakeups=wakeups)
        )
        cancellation = await opened.enter_async_context(
            build_cancellation(CancelRules(), switches, meters, storage=storage, writer=writer)
        )
        profiles = maps.map(MapRules[str, dict[str, str]]("profiles", capacity=capacity))
        yield Parts(limiter, bus, writer, cancellation, maps, profiles, maps.locks("documents"))  # type: ignore[arg-type]


async def session(here: Parts, name: str) -> None:
    """Admitted, cancellable, watched, written, read to its end, closed."""
    async with await here.limiter.admit(Admission(name, "user", f"run-{name}")), here.locks.of(name):
        here.profiles[name] = {"name": name}
        with here.cancellation.token(name, f"run-{name}"):
            reader = await here.bus.subscribe(Cursor(name, 0), name)
            run = await here.writer.begin(name, "user")
            await run.emit(Draft("llm_output_delta", {"delta": "Hello"}, text_bytes=5))
            await run.emit(FINAL)
            async for delivery in reader:
                if isinstance(delivery, Settled) or delivery.events[-1].terminal:  # type: ignore[union-attr]
                    break
            await reader.aclose()


async def sessions(here: Parts, first: int, count: int, *, at_once: int) -> None:
    """So many, some at a time."""
    numbers = iter(range(first, first + count))

    async def some() -> None:
        for number in numbers:
            await session(here, f"session-{number}")

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(some())


@dataclass(frozen=True)
class Census:
    """What a process holds: asyncio tasks, threads, open descriptors, objects, entries of maps, resident bytes."""

    tasks: int
    threads: int
    descriptors: int
    objects: int
    entries: int
    resident_bytes: int

    def minus(self, other: Census) -> Census:
        """What was added since."""
        return Census(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(self)))


async def census(here: Parts) -> Census:
    """After what is under way has settled."""
    await asyncio.sleep(0.5)
    for _ in range(3):
        gc.collect()
    descriptors, resident = await asyncio.to_thread(_of_the_system)
    return Census(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        descriptors=descriptors,
        objects=len(gc.get_objects()),
        entries=sum(usage.entries for usage in here.maps.report()),
        resident_bytes=resident,
    )


def _of_the_system() -> tuple[int, int]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")
