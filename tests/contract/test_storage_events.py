"""Stream events: order, identity, one writer."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.errors import FencedError, OffsetTakenError
from evenkeel.hotpath.ports.stream_events import (
    RESERVE_AHEAD,
    Cursor,
    TaskFence,
)
from tests.contract.streams import batch, ids_of, write
from tests.storages import Place


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


async def test_a_repeated_close_does_not_take_back_what_landed_behind_it(place: Place) -> None:
    """Found by the state machine: the id of a post would have been given out again."""
    async with place.open() as storage:
        head = await storage.events.open("s", "user")
        assert await storage.events.post("s", "user", b"post") is None
        for _ in range(2):
            assert (await storage.events.append([batch(head, 1, 2, closing=True)])).stored == 2
        assert (await storage.events.open("s", "user")).next_id == 4


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
