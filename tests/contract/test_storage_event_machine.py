"""Any order of runs, crashes, posts, settlements and clean-ups leaves a history that readers can trust."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import RESERVE_AHEAD, Cursor, EventBatch, HistoryLost, LossReason, StreamHead
from evenkeel.kernel.clock import ManualClock
from tests.storages import Place

T = TypeVar("T")
pytestmark = pytest.mark.timeout(90)  # 25 databases, each made from nothing


class Run:
    """A run as it sees itself: what it has shown, what it has not stored yet. It may be superseded without knowing."""

    def __init__(self, head: StreamHead) -> None:
        self.head = head
        self.next_id = head.next_id
        self.reserved_to = head.reserved_to
        self.unsent: list[tuple[int, bytes]] = []


class History(RuleBasedStateMachine):
    """One session. The model: what is stored, what was ever shown, what was removed, which run is current."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.mkdtemp()
        self.clock = ManualClock()
        self.stack = AsyncExitStack()
        self.stored: dict[int, bytes] = {}
        self.shown = 0
        self.removed_to = 0
        self.current: Run | None = None
        self.old: list[Run] = []
        self.posts: list[bytes] = []
        self.serial = 0

    def do(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def payload(self) -> bytes:
        self.serial += 1
        return b"%d" % self.serial

    @initialize()
    def open_storage(self) -> None:
        place = Place(f"sqlite:///{self.folder}/machine.db", "optimised", self.clock)
        self.storage: Storage = self.do(self.stack.enter_async_context(place.open(synchronous="normal")))

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule()
    def begin(self) -> None:
        """A run opens the stream, whether or not the one before has ended: a crash looks the same."""
        if self.current:
            self.old.append(self.current)
        head = self.do(self.storage.events.open("s", "u"))
        assert head.next_id > self.shown
        assert head.next_id > max(self.stored, default=0)
        self.current = Run(head)

    @precondition(lambda self: self.current is not None)
    @rule(count=st.integers(1, 5), stored=st.booleans())
    def show(self, count: int, stored: bool) -> None:
        """Number events and show them; some kinds are never stored."""
        assert self.current is not None
        for _ in range(count):
            event = (self.current.next_id, self.payload())
            self.current.next_id += 1
            self.shown = max(self.shown, event[0])
            if stored:
                self.current.unsent.append(event)

    def append(self, run: Run, *, closing: bool) -> frozenset[str]:
        ids, payloads = [e[0] for e in run.unsent], [e[1] for e in run.unsent]
        last_id = run.next_id - 1
        reserve = last_id + RESERVE_AHEAD if last_id > run.reserved_to - 100 else None
        batch = EventBatch("s", "u", run.head.term, ids, payloads, last_id, reserve, closing=closing)
        return self.do(self.storage.events.append([batch])).fenced

    @precondition(lambda self: self.current is not None)
    @rule(again=st.booleans())
    def flush(self, again: bool) -> None:
        assert self.current is not None
        for _ in range(1 + again):  # the answer may be lost, then it is sent again
            assert self.append(self.current, closing=False) == frozenset()
        self.stored.update(self.current.unsent)
        self.current.unsent.clear()

    @precondition(lambda self: self.current is not None)
    @rule(again=st.booleans())
    def close(self, again: bool) -> None:
        assert self.current is not None
        self.show(1, stored=True)
        for _ in range(1 + again):
            assert self.append(self.current, closing=True) == frozenset()
        self.stored.update(self.current.unsent)
        self.land_posts(self.current.next_id)
        self.old.append(self.current)
        self.current.unsent.clear()
        self.current = None

    @precondition(lambda self: any(run.unsent for run in self.old))
    @rule(closing=st.booleans())
    def an_old_run_wakes_up(self, closing: bool) -> None:
        """A zombie: nothing of what it sends is stored."""
        run = next(run for run in self.old if run.unsent)
        assert self.append(run, closing=closing) == {"s"}

    @rule()
    def settle(self) -> None:
        event_id = self.do(self.storage.events.settle("s", payload := self.payload()))
        assert (event_id is not None) == (self.current is not None)
        if event_id is None or self.current is None:
            return
        assert event_id > self.shown
        self.stored[event_id] = payload
        self.shown = event_id
        self.land_posts(event_id + 1)
        self.old.append(self.current)
        self.current = None

    @rule()
    def post(self) -> None:
        event_id = self.do(self.storage.events.post("s", "u", payload := self.payload()))
        assert (event_id is None) == (self.current is not None)
        if event_id is None:
            self.posts.append(payload)
        else:
            assert event_id > self.shown
            self.stored[event_id] = payload
            self.shown = event_id

    @precondition(lambda self: self.current is not None and self.posts)
    @rule()
    def take_posts(self) -> None:
        """The writer puts what others posted into its own order."""
        assert self.current is not None
        waiting = self.do(self.storage.events.posts(["s"]))
        assert [post.payload for post in waiting] == self.posts
        self.flush(again=False)
        ids = list(range(self.current.next_id, self.current.next_id + len(waiting)))
        self.current.next_id += len(ids)
        self.shown = max(self.shown, *ids)
        payloads = [post.payload for post in waiting]
        numbers = [post.post_id for post in waiting]
        batch = EventBatch("s", "u", self.current.head.term, ids, payloads, ids[-1], posts=numbers)
        assert self.do(self.storage.events.append([batch])).fenced == frozenset()
        self.stored.update(zip(ids, payloads, strict=True))
        self.posts.clear()

    @rule(seconds=st.integers(1, 100))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(older_than_s=st.integers(0, 150))
    def prune(self, older_than_s: int) -> None:
        self.do(self.storage.events.prune(older_than_s))
        left = self.read(0).events
        first = left[0].event_id if left else max(self.stored, default=0) + 1
        gone = [event_id for event_id in self.stored if event_id < first]
        self.removed_to = max(self.removed_to, *gone) if gone else self.removed_to
        for event_id in gone:
            del self.stored[event_id]

    def land_posts(self, first_id: int) -> None:
        self.stored.update(enumerate(self.posts, first_id))
        self.shown = max(self.shown, first_id + len(self.posts) - 1)
        self.posts.clear()

    def read(self, after: int):  # type: ignore[no-untyped-def]
        return self.do(self.storage.events.read(Cursor("s", after), limit=10_000))

    @invariant()
    def what_is_read_is_what_was_acknowledged(self) -> None:
        if not hasattr(self, "storage"):
            return
        page = self.read(0)
        assert {event.event_id: event.payload for event in page.events} == self.stored
        assert [event.event_id for event in page.events] == sorted(self.stored)
        assert page.open == (self.current is not None)

    @invariant()
    def a_reader_is_told_exactly_what_is_gone(self) -> None:
        if not hasattr(self, "storage"):
            return
        for after in {0, self.removed_to - 1, self.removed_to, self.shown} - {-1}:
            page = self.read(after)
            assert [event.event_id for event in page.events] == [n for n in sorted(self.stored) if n > after]
            told = HistoryLost(after + 1, self.removed_to, LossReason.AGED) if after < self.removed_to else None
            assert page.lost == told


History.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistory = History.TestCase
