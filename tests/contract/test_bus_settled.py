"""When a reader is told that nothing is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.ports.bus import Delivery, Settled
from evenkeel.hotpath.ports.stream_events import Cursor
from tests.storages import Place
from tests.streams import FINAL, delta, instance, note, read_to_end, read_until


async def test_a_run_that_began_while_storage_was_asked_is_not_taken_for_over(place: Place) -> None:
    """A stream that follows a run to its end would stop in the middle of it."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def active(session_ids: Sequence[str]) -> frozenset[str]:
        if asked.is_set():
            return frozenset(session_ids)
        asked.set()
        await answered.wait()  # the answer is of before the second run
        return frozenset()

    async with instance(place, active=active) as here:
        first = await here.writer.begin("s", "u")
        await first.emit(FINAL)
        seen: list[Delivery] = []
        subscription = await here.bus.subscribe(Cursor("s", 0), "s")

        async def read() -> None:
            async for delivery in subscription:
                seen.append(delivery)
                if isinstance(delivery, Settled) or sum(map(ends, seen)) == 2:
                    return

        reading = asyncio.create_task(read())
        await asked.wait()
        second = await here.writer.begin("s", "u")
        await second.emit(delta("word "))
        await second.flush()
        answered.set()
        await asyncio.sleep(0.1)  # long enough for a wrong word, which would end the reading
        await second.emit(FINAL)
        await reading
        await subscription.aclose()
    assert sum(map(ends, seen)) == 2
    assert not [each for each in seen if isinstance(each, Settled)]


async def test_a_run_that_died_right_then_is_noticed_all_the_same(place: Place) -> None:
    """The first answer is too old to tell, and no event comes that would make anybody ask again."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def active(_: Sequence[str]) -> frozenset[str]:
        asked.set()
        await answered.wait()
        return frozenset()

    async with instance(place, active=active) as here:
        await (await here.writer.begin("s", "u")).emit(FINAL)
        subscription = await here.bus.subscribe(Cursor("s", 0), "s")
        seen: list[Delivery] = []

        async def read() -> None:
            async for delivery in subscription:
                seen.append(delivery)
                if isinstance(delivery, Settled):
                    return

        reading = asyncio.create_task(read())
        await asked.wait()
        second = await here.writer.begin("s", "u")
        await second.emit(delta("word "))
        await second.flush()
        await asyncio.sleep(0.05)  # the reader has seen it
        answered.set()
        await reading
        await subscription.aclose()
    assert ends(seen[0]) == 1
    assert isinstance(seen[-1], Settled)


async def test_for_a_reader_that_stays_nobody_looks(place: Place) -> None:
    looks = 0

    async def active(_: Sequence[str]) -> frozenset[str]:
        nonlocal looks
        looks += 1
        return frozenset()

    async with instance(place, active=active) as here:
        subscription = await here.bus.subscribe(Cursor("s", 0), "s", endless=True)
        seen = 0
        for _ in range(3):
            run = await here.writer.begin("s", "u")
            await run.emit(delta("word "))
            await run.emit(FINAL)
            while seen < 2:
                delivery = await anext(subscription)
                assert not isinstance(delivery, Settled)
                seen += len(getattr(delivery, "events", ()))
            seen = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(subscription)
        await subscription.aclose()
    assert looks == 0


async def test_a_resume_beside_a_watch_ends_though_the_queue_said_the_last_word(place: Place) -> None:
    """`queue_finish` follows the end of a run: no event after it would make anybody ask."""
    async with instance(place) as here:
        watch = await here.bus.subscribe(Cursor("s", 0), "s", endless=True)
        await (await here.writer.begin("s", "u")).emit(FINAL)
        await here.writer.say("s", "u", note("queue_finish"))
        async with asyncio.timeout(5):
            assert (await read_until(watch, lambda seen: "queue_finish" in seen.kinds)).ids
            resume = await here.bus.subscribe(Cursor("s", 0), "s")
            assert (await read_to_end(resume)).kinds == ["final", "queue_finish"]


async def test_an_end_that_is_read_from_storage_before_it_is_shown_here_is_an_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last event of a run is stored first and shown then; a reader that comes between has seen it all the same."""
    looks, add = 0, Ring.add

    async def active(session_ids: Sequence[str]) -> frozenset[str]:
        nonlocal looks
        looks += 1
        return frozenset(session_ids if looks == 1 else ())  # the run lets go of its lease a moment later

    monkeypatch.setattr(Ring, "add", lambda self, event: not event.terminal and add(self, event))
    async with instance(place, active=active) as here:
        run = await here.writer.begin("s", "u")
        await run.emit(delta("word "))
        await run.flush()
        await run.emit(FINAL)
        resume = await here.bus.subscribe(Cursor("s", 1), "s")
        async with asyncio.timeout(5):
            assert (await read_to_end(resume)).kinds == ["final"]


def ends(delivery: Delivery) -> int:
    """How many runs end in it."""
    return sum(event.terminal for event in getattr(delivery, "events", ()))
