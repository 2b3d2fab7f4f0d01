"""The bus as a state machine: whatever happens in whatever order, a reader gets all of it, once, in order, or is told."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.event_writer import RunWriter
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.kernel.clock import ManualClock
from tests.storages import Place
from tests.streams import EAGER, FINAL, QUIET, Instance, Seen, delta, instance

BUS = replace(QUIET, ring_events=6, delivery_events=4)
WRITER = replace(EAGER, batch_s=60.0, batch_events=1_000, buckets=1)


class Reader:
    """A reader, what it got, and from where it started."""

    def __init__(self, subscription: Subscription, start: int) -> None:
        self.subscription, self.start = subscription, start
        self.seen = Seen([])

    async def read(self, upto: int) -> None:
        """Take deliveries until the id is reached."""
        while self.subscription.cursor.event_id < upto:
            self.seen.deliveries.append(await anext(self.subscription))


class EventsMachine(RuleBasedStateMachine):
    """One session on SQLite: two instances write it in turn, readers on one of them read as they like."""

    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.loop = asyncio.Runner()
        self.open = AsyncExitStack()
        self.shown: dict[int, str] = {}  # what a run said, by id
        self.stored_to = 0
        self.pruned_to = 0
        self.run: RunWriter | None = None
        self.all: list[Reader] = []

    @initialize()
    def start(self) -> None:
        self.here = self.loop.run(self._enter())

    async def _enter(self) -> Instance:
        place = Place(f"sqlite:///{self.folder / 'events.db'}", "optimised", self.clock)
        return await self.open.enter_async_context(instance(place, bus_rules=BUS, writer_rules=WRITER))

    @rule(count=st.integers(1, 9))
    def say(self, count: int) -> None:
        async def say() -> None:
            if self.run is None:
                self.run = await self.here.writer.begin("s", "user")
            for _ in range(count):
                number = len(self.shown)
                event = await self.run.emit(delta(f"{number},"))
                self.shown[event.event_id] = f"{number},"

        self.loop.run(say())

    @rule()
    def flush(self) -> None:
        if self.run is not None:
            self.loop.run(self.run.flush())
            self.stored_to = max(self.shown, default=0)

    @rule()
    def finish(self) -> None:
        if self.run is not None:
            event = self.loop.run(self.run.emit(FINAL))
            self.shown[event.event_id] = ""
            self.stored_to, self.run = event.event_id, None

    @rule()
    def elsewhere(self) -> None:
        """Another instance says something while no run is at work here."""
        if self.run is None:
            number = len(self.shown)
            event = self.loop.run(self.here.writer.say("s", "user", delta(f"{number},")))
            assert event is not None
            self.shown[event.event_id] = f"{number},"
            self.stored_to = event.event_id

    @rule()
    def prune(self) -> None:
        """Everything that is stored becomes old, and goes."""
        self.clock.advance(1_000)
        gone = self.loop.run(self.here.storage.events.prune(500, max_sessions=1))
        if gone:
            self.pruned_to = self.stored_to

    @rule(target=readers, back=st.integers(0, 12))
    def subscribe(self, back: int) -> Reader:
        start = max(0, max(self.shown, default=0) - back)
        reader = Reader(self.loop.run(self.here.bus.subscribe(Cursor("s", start), "s")), start)
        self.all.append(reader)
        return reader

    @rule(reader=readers, share=st.integers(1, 3))
    def read(self, reader: Reader, share: int) -> None:
        """A third, two thirds, or all of what there is: slow readers are the rule here."""
        last = max(self.shown, default=0)
        at = reader.subscription.cursor.event_id
        self.loop.run(asyncio.wait_for(reader.read(at + (last - at) * share // 3), 10))

    @invariant()
    def nobody_misses_or_repeats(self) -> None:
        for reader in self.all:
            seen = reader.seen
            assert seen.ids == sorted(set(seen.ids))
            reached = reader.subscription.cursor.event_id
            lost = {n for each in seen.lost for n in range(each.first_id, each.last_id + 1)}
            assert all(n <= self.pruned_to for n in lost)
            expected = [text for n, text in sorted(self.shown.items()) if reader.start < n <= reached and n not in lost]
            assert seen.text(after=reader.start) == "".join(expected)

    def teardown(self) -> None:
        try:
            for reader in self.all:
                self.loop.run(asyncio.wait_for(reader.read(max(self.shown, default=0)), 10))
            self.nobody_misses_or_repeats()
        finally:
            self.loop.run(self.open.aclose())
            self.loop.close()
            shutil.rmtree(self.folder)


EventsMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestEvents = EventsMachine.TestCase
