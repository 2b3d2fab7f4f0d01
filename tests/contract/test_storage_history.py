"""Reading stream events back: in pages, in windows, after a clean-up, and only by whoever may."""

from __future__ import annotations

import itertools

import pytest

from evenkeel.hotpath.ports.errors import OversizedError, UnknownSessionError
from evenkeel.hotpath.ports.storage import Bounds
from evenkeel.hotpath.ports.stream_events import (
    Cursor,
    HistoryLost,
    LossReason,
)
from tests.contract.streams import batch, write
from tests.storages import Place


async def test_reading_in_pages_gives_everything_once(place: Place) -> None:
    async with place.open() as storage:
        await write(storage, "s", 25)
        seen: list[int] = []
        for _ in itertools.count():
            page = await storage.events.read(Cursor("s", seen[-1] if seen else 0), limit=10)
            seen += [event.event_id for event in page.events]
            if not page.more:
                break
        assert seen == list(range(1, 26))
        tail = await storage.events.read_tail("s", limit=5)
        assert [event.event_id for event in tail.events] == [21, 22, 23, 24, 25]
        assert (tail.last_id, tail.lost) == (25, None)


async def test_one_read_for_many_sessions_leaves_out_what_has_nothing_new(place: Place) -> None:
    async with place.open() as storage:
        for name in ("a", "b", "c"):
            await write(storage, name, 3)
        pages = await storage.events.read_many([Cursor("a", 1), Cursor("b", 3), Cursor("c", 0), Cursor("d", 0)])
        assert {name: [e.event_id for e in page.events] for name, page in pages.items()} == {
            "a": [2, 3],
            "c": [1, 2, 3],
        }


async def test_age_removes_and_the_reader_is_told(timed: Place) -> None:
    """Lesson b: clean-up is by age alone; resume cursors do not jump."""
    async with timed.open() as storage:
        await write(storage, "s", 5)
        timed.manual.advance(1_000)
        await write(storage, "s", 5)
        assert await storage.events.prune(2_000) == 0
        assert await storage.events.prune(500) == 5
        page = await storage.events.read(Cursor("s", 2))
        assert page.lost == HistoryLost(3, 5, LossReason.AGED)
        assert [event.event_id for event in page.events] == [6, 7, 8, 9, 10]
        assert (await storage.events.read(Cursor("s", 5))).lost is None
        assert (await storage.events.read_many([Cursor("s", 4)]))["s"].lost == HistoryLost(5, 5, LossReason.AGED)
        timed.manual.advance(1_000)
        assert await storage.events.prune(500) == 5
        assert (await storage.events.open("s", "user")).next_id == 11
        told = (await storage.events.read_many([Cursor("s", 6)]))["s"]
        assert (told.events, told.lost) == ((), HistoryLost(7, 10, LossReason.AGED))


async def test_pruning_goes_in_bounded_steps(timed: Place) -> None:
    async with timed.open() as storage:
        for n in range(3):
            await write(storage, f"s{n}", 10)
        timed.manual.advance(100)
        removed = [await storage.events.prune(50, max_sessions=2, max_rows=8) for _ in range(12)]
        assert sum(removed) == 30
        assert max(removed) <= 8


async def test_an_open_stream_is_pruned_too(timed: Place) -> None:
    async with timed.open() as storage:
        head = await storage.events.open("s", "user")
        await storage.events.append([batch(head, 1, 2)])
        timed.manual.advance(100)
        assert await storage.events.prune(50) == 2
        await storage.events.append([batch(head, 3, 2)])
        timed.manual.advance(100)
        assert await storage.events.prune(50) == 2


async def test_a_new_history_under_an_old_name_is_told(place: Place) -> None:
    async with place.open() as storage:
        first = await write(storage, "s", 5)
        await storage.events.forget("s")
        assert (await storage.events.read(Cursor("s", 3))).epoch == 0
        second = await write(storage, "s", 2)
        assert second.epoch > first.epoch
        page = await storage.events.read(Cursor("s", 4, epoch=first.epoch))
        assert page.lost == HistoryLost(1, 4, LossReason.RESET)
        assert [event.event_id for event in page.events] == [1, 2]


async def test_a_foreign_session_is_as_unknown_as_none(place: Place) -> None:
    """Lesson t: every read of a session checks its owner."""
    async with place.open() as storage:
        await write(storage, "s", 1)
        with pytest.raises(UnknownSessionError):
            await storage.events.read(Cursor("s", 0), user_id="other")
        with pytest.raises(UnknownSessionError):
            await storage.events.read_tail("s", user_id="other")
        with pytest.raises(UnknownSessionError):
            await storage.events.open("s", "other")
        with pytest.raises(UnknownSessionError):
            await storage.events.post("s", "other", b"x")
        assert len((await storage.events.read(Cursor("s", 0), user_id="user")).events) == 1
        empty = await storage.events.read(Cursor("unknown", 0), user_id="other")
        assert (empty.epoch, empty.events) == (0, ())


async def test_an_oversized_event_is_refused_and_harms_nobody(place: Place) -> None:
    async with place.open(bounds=Bounds(event_bytes=100)) as storage:
        head = await storage.events.open("s", "user")
        with pytest.raises(OversizedError) as raised:
            await storage.events.append([batch(head, 1, 2, payloads=[b"x" * 100, b"x" * 101])])
        assert (raised.value.size_bytes, raised.value.bound_bytes) == (101, 100)
        assert raised.value.hint
        done = await storage.events.append([batch(head, 1, 1, payloads=[b"x" * 100])])
        assert done.stored == 1


async def test_payloads_are_any_bytes(place: Place) -> None:
    odd = [b"", b"\0", b"\xff\xfe", b'"\\ud800"', "\N{REPLACEMENT CHARACTER}".encode()]
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        await storage.events.append([batch(head, 1, len(odd), payloads=odd)])
        assert [e.payload for e in (await storage.events.read(Cursor("s", 0))).events] == odd
