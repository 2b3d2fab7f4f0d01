"""Stream events: order, identity, one writer, and telling what is gone."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.errors import FencedError, OffsetTakenError, OversizedError, UnknownSessionError
from evenkeel.hotpath.ports.storage import Bounds, Storage
from evenkeel.hotpath.ports.stream_events import (
    RESERVE_AHEAD,
    Cursor,
    EventBatch,
    HistoryLost,
    LossReason,
    StreamHead,
    TaskFence,
)
from tests.storages import Place


def batch(head: StreamHead, first: int, count: int, *, closing: bool = False, **more: object) -> EventBatch:
    ids = list(range(first, first + count))
    payloads = [f"{head.session_id}:{event_id}".encode() for event_id in ids]
    last_id = ids[-1] if ids else first - 1
    made = EventBatch(head.session_id, "user", head.term, ids, payloads, last_id, closing=closing)
    return EventBatch(**{**{name: getattr(made, name) for name in made.__slots__}, **more})


async def write(storage: Storage, session_id: str, count: int, *, closing: bool = True) -> StreamHead:
    head = await storage.events.open(session_id, "user")
    done = await storage.events.append([batch(head, head.next_id, count, closing=closing)])
    assert (done.stored, done.fenced) == (count, frozenset())
    return head


async def ids_of(storage: Storage, session_id: str, after: int = 0) -> list[int]:
    page = await storage.events.read(Cursor(session_id, after), limit=10_000)
    assert [event.payload for event in page.events] == [
        f"{session_id}:{event.event_id}".encode() for event in page.events if event.payload
    ]
    return [event.event_id for event in page.events]


async def test_ids_follow_without_a_gap_over_turns(place: Place) -> None:
    async with place.open() as storage:
        for _ in range(3):
            await write(storage, "s", 4)
        assert await ids_of(storage, "s") == list(range(1, 13))
        assert await ids_of(storage, "s", after=10) == [11, 12]


async def test_ids_that_were_only_shown_are_never_given_out_again(place: Place) -> None:
    """Lesson c: the next id comes from storage and from what is not yet flushed."""
    async with place.open() as storage:
        first = await storage.events.open("s", "user")
        await storage.events.append([batch(first, 1, 3)])  # ids up to reserved_to may have been shown; then it crashes
        second = await storage.events.open("s", "user")
        assert second.next_id == first.reserved_to + 1 == RESERVE_AHEAD + 1
        await storage.events.append([batch(second, second.next_id, 2, closing=True)])
        third = await storage.events.open("s", "user")
        assert third.next_id == second.next_id + 2
        assert third.epoch == first.epoch


async def test_unstored_ids_count_too(place: Place) -> None:
    """Lesson p: not every id is stored."""
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        await storage.events.append([batch(head, 1, 2, last_id=7, closing=True)])
        assert (await storage.events.open("s", "user")).next_id == 8


async def test_an_old_writer_is_fenced_and_the_others_of_its_batch_are_not(place: Place) -> None:
    async with place.open() as storage:
        old = await storage.events.open("s", "user")
        other = await storage.events.open("t", "user")
        new = await storage.events.open("s", "user")
        done = await storage.events.append([batch(old, 1, 2), batch(other, 1, 3)])
        assert (done.stored, set(done.fenced)) == (3, {"s"})
        assert await ids_of(storage, "s") == []
        done = await storage.events.append([batch(new, new.next_id, 1)])
        assert done.stored == 1


async def test_ids_beyond_the_reservation_are_refused_until_it_is_moved(place: Place) -> None:
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        far = head.reserved_to + 1
        assert (await storage.events.append([batch(head, far, 1)])).fenced == {"s"}
        assert (await storage.events.append([batch(head, far, 1, reserve_to=far + RESERVE_AHEAD)])).stored == 1
        assert (await storage.events.open("s", "user")).next_id == far + RESERVE_AHEAD + 1


async def test_appending_again_changes_nothing(place: Place) -> None:
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        for _ in range(2):
            assert (await storage.events.append([batch(head, 1, 3)])).stored == 3
        closing = batch(head, 4, 1, closing=True)
        for _ in range(2):
            assert (await storage.events.append([closing])) == (await storage.events.append([closing]))
        assert await ids_of(storage, "s") == [1, 2, 3, 4]


async def test_events_are_immutable_by_id(place: Place) -> None:
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        await storage.events.append([batch(head, 1, 3)])
        with pytest.raises(OffsetTakenError) as raised:
            await storage.events.append([batch(head, 2, 1, payloads=[b"other"])])
        assert raised.value.hint
        assert await ids_of(storage, "s") == [1, 2, 3]


async def test_a_closed_term_writes_nothing_more(place: Place) -> None:
    async with place.open() as storage:
        head = await write(storage, "s", 3)
        assert (await storage.events.append([batch(head, 4, 1)])).fenced == {"s"}
        assert await ids_of(storage, "s") == [1, 2, 3]


async def test_of_a_close_and_a_settle_exactly_one_stores_a_terminal_event(place: Place) -> None:
    async with place.open() as storage:
        outcomes = set()
        for n in range(10):
            head = await storage.events.open(f"s{n}", "user")
            closing = batch(head, 1, 1, closing=True)
            done, settled = await asyncio.gather(
                storage.events.append([closing]), storage.events.settle(f"s{n}", b"settled")
            )
            assert bool(done.stored) != (settled is not None)
            page = await storage.events.read(Cursor(f"s{n}", 0))
            assert len(page.events) == 1
            assert not page.open
            outcomes.add(settled is not None)
        head = await storage.events.open("late", "user")
        assert await storage.events.settle("late", b"settled") is not None
        assert (await storage.events.append([batch(head, 1, 1, closing=True)])).fenced == {"late"}
        assert await storage.events.settle("late", b"again") is None
        assert await storage.events.settle("never opened", b"x") is None
        assert outcomes


async def test_a_settled_stream_goes_on_above_what_its_writer_may_have_shown(place: Place) -> None:
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        terminal = await storage.events.settle("s", b"settled")
        assert terminal == head.reserved_to + 1
        assert (await storage.events.open("s", "user")).next_id == terminal + 1


async def test_a_post_is_appended_at_once_while_nobody_writes(place: Place) -> None:
    async with place.open() as storage:
        assert await storage.events.post("s", "user", b"queued") == 1
        await write(storage, "s", 2)
        assert await storage.events.post("s", "user", b"queued again") == 4
        page = await storage.events.read(Cursor("s", 0))
        assert [event.event_id for event in page.events] == [1, 2, 3, 4]
        assert page.events[0].payload == b"queued"


async def test_a_post_waits_for_the_writer_and_goes_with_the_batch_that_holds_it(place: Place) -> None:
    """Lesson f: queue events live in the same event sequence."""
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        assert await storage.events.post("s", "user", b"queued") is None
        (post,) = await storage.events.posts(["s", "t"])
        assert (post.session_id, post.payload) == ("s", b"queued")
        await storage.events.append([batch(head, 1, 1, payloads=[post.payload], posts=[post.post_id])])
        assert await storage.events.posts(["s"]) == []
        done = await storage.events.append([batch(head, 2, 1, closing=True)])
        assert done.stored == 1
        assert [e.payload for e in (await storage.events.read(Cursor("s", 0))).events] == [b"queued", b"s:2"]


async def test_a_fenced_batch_takes_no_post_with_it(place: Place) -> None:
    async with place.open() as storage:
        old = await storage.events.open("s", "user")
        await storage.events.open("s", "user")
        assert await storage.events.post("s", "user", b"queued") is None
        (post,) = await storage.events.posts(["s"])
        await storage.events.append([batch(old, 1, 1, payloads=[post.payload], posts=[post.post_id])])
        assert await storage.events.posts(["s"]) == [post]


async def test_posts_that_came_too_late_follow_the_terminal_event(place: Place) -> None:
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        for n in range(3):
            assert await storage.events.post("s", "user", b"post%d" % n) is None
        await storage.events.append([batch(head, 1, 2, closing=True)])
        page = await storage.events.read(Cursor("s", 2))
        assert [(e.event_id, e.payload) for e in page.events] == [(3, b"post0"), (4, b"post1"), (5, b"post2")]
        assert await storage.events.posts(["s"]) == []
        assert (await storage.events.open("s", "user")).next_id == 6


async def test_posts_race_a_closing_writer_and_none_is_lost(place: Place) -> None:
    async with place.open() as storage:
        for n in range(5):
            session_id = f"s{n}"
            head = await storage.events.open(session_id, "user")
            await asyncio.gather(
                storage.events.append([batch(head, 1, 1, closing=True)]),
                *(storage.events.post(session_id, "user", b"p%d" % k) for k in range(4)),
            )
            page = await storage.events.read(Cursor(session_id, 0))
            assert sorted(e.payload for e in page.events) == [b"p0", b"p1", b"p2", b"p3", f"{session_id}:1".encode()]
            assert [e.event_id for e in page.events] == [1, 2, 3, 4, 5]
            assert await storage.events.posts([session_id]) == []


async def test_a_writer_is_fenced_by_its_task_attempt(timed: Place) -> None:
    async with timed.open() as storage:
        await storage.tasks.enqueue([NewTask("t", b"", session_id="s")])
        (first,) = await storage.tasks.claim("w", 1, lease_s=10)
        fence = TaskFence("t", first.attempt)
        head = await storage.events.open("s", "user", fence=fence)
        assert (await storage.events.append([batch(head, 1, 1, fence=fence)])).stored == 1
        timed.manual.advance(11)
        assert (await storage.tasks.upkeep()).recovered == 1
        assert (await storage.events.append([batch(head, 2, 1, fence=fence)])).fenced == {"s"}
        (second,) = await storage.tasks.claim("w2", 1, lease_s=10)
        assert second.attempt > first.attempt
        assert (await storage.events.append([batch(head, 2, 1, fence=fence)])).fenced == {"s"}
        with pytest.raises(FencedError):
            await storage.events.open("s", "user", fence=fence)
        assert await ids_of(storage, "s") == [1]


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


async def test_many_writers_at_once_each_keep_their_order(place: Place) -> None:
    async with place.open() as storage:

        async def run(name: str) -> None:
            head = await storage.events.open(name, "user")
            for first in range(1, 41, 10):
                done = await storage.events.append([batch(head, first, 10, closing=first == 31)])
                assert done.stored == 10

        await asyncio.gather(*(run(f"s{n}") for n in range(10)))
        for n in range(10):
            assert await ids_of(storage, f"s{n}") == list(range(1, 41))
