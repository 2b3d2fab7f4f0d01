"""A bus and an event writer on a storage, as one instance of a service has them, and ways to read what a reader got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from evenkeel.hotpath.events import Activity, BusRules, build_bus, live_evidence
from evenkeel.hotpath.ports.bus import Bus, Delivery, Event, Live, Replayed, Settled, Subscription
from evenkeel.hotpath.ports.event_writer import Draft, EventWriter, RunWriter
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import HistoryLost
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import WriterRules, build_event_writer
from evenkeel.kernel.metrics import Meters
from tests.storages import Place

QUIET = BusRules(sweep_s=3_600.0, polling_s=0.01, settle_s=0.01, settle_max_s=0.05)
"""No sweeps: what arrives was carried by wake-ups. Where none can arrive (two storages on one SQLite file): SWEPT."""
SWEPT = replace(QUIET, sweep_s=0.02, poll_s=0.02)
EAGER = WriterRules(batch_s=0.002)


@dataclass(frozen=True)
class Instance:
    """One process of a service, as far as streams go."""

    storage: Storage
    bus: Bus
    writer: EventWriter
    meters: Meters

    def count(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for metric in self.meters.registry.collect()
            for sample in metric.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@asynccontextmanager
async def instance(
    place: Place, *, bus_rules: BusRules = QUIET, writer_rules: WriterRules = EAGER, active: Activity | None = None
) -> AsyncIterator[Instance]:
    """Everything on the path that the place names. `active`: an answer of the test's own to what is at work."""
    switches, meters = read_switches(place.profile), Meters()
    async with place.open(meters) as storage:
        active = active or live_evidence(storage.leases, storage.tasks)
        events, wakeups = storage.events, storage.wakeups
        async with (
            build_bus(bus_rules, switches, meters, events=events, wakeups=wakeups, active=active) as bus,
            build_event_writer(writer_rules, switches, meters, events=events, bus=bus, wakeups=wakeups) as writer,
        ):
            yield Instance(storage, bus, writer, meters)


def delta(text: str) -> Draft:
    return Draft("llm_output_delta", {"delta": text}, text_bytes=len(text))


def note(kind: str = "progress", **data: object) -> Draft:
    return Draft(kind, data)


FINAL = Draft("final", {"answer": "done"}, terminal=True)
CANCELLED = Draft("error", {"code": "CANCELLED"}, terminal=True)


async def say(run: RunWriter, *texts: str) -> None:
    """Deltas, then the end of the run."""
    for text in texts:
        await run.emit(delta(text))
    await run.emit(FINAL)


@dataclass
class Seen:
    """What one reader got."""

    deliveries: list[Delivery]

    @property
    def events(self) -> list[Event]:
        return [event for each in self.deliveries if isinstance(each, (Live, Replayed)) for event in each.events]

    @property
    def ids(self) -> list[int]:
        return [event.event_id for event in self.events]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def lost(self) -> list[HistoryLost]:
        return [each for each in self.deliveries if isinstance(each, HistoryLost)]

    @property
    def settled(self) -> int:
        return sum(isinstance(each, Settled) for each in self.deliveries)

    def text(self, after: int = 0) -> str:
        """All deltas, as a client puts them together: segments at or below what it has are dropped."""
        parts, have = [], after
        for event in self.events:
            inner = json.loads(event.payload)["data"]["data"]
            if event.kind == "llm_output_delta":
                segments = inner.get("segments", [{"event_id": event.event_id, **inner}])
                parts += [segment["delta"] for segment in segments if segment["event_id"] > have]
            have = event.event_id
        return "".join(parts)


async def read_until(reader: Subscription, enough: Callable[[Seen], bool]) -> Seen:
    """Read until the predicate holds."""
    seen = Seen([])
    while not enough(seen):
        seen.deliveries.append(await anext(reader))
    return seen


async def read_to_end(reader: Subscription) -> Seen:
    """As a `resume`: until nothing is at work."""
    return await read_until(reader, lambda seen: seen.settled > 0)


def finished(seen: Seen) -> bool:
    """A run's last word was seen."""
    return bool(seen.events) and seen.events[-1].terminal


async def until(ready: Callable[[], bool]) -> None:
    """Wait for something that sets no event for tests."""
    while not ready():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
