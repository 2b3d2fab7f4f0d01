"""The bus: every reader gets all of it once, in order, or is told what is gone; nobody waits for anybody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.bus import Live
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.stream_events import Cursor, HistoryLost, LossReason
from tests.storages import Place
from tests.streams import (
    CANCELLED,
    FINAL,
    QUIET,
    delta,
    finished,
    instance,
    note,
    read_to_end,
    read_until,
    say,
)

SMALL = replace(QUIET, ring_events=16, delivery_events=8)


async def test_a_reader_sees_a_run_in_order(place: Place) -> None:
    async with instance(place) as here:
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        run = await here.writer.begin("s", "user")
        reading = asyncio.create_task(read_until(reader, finished))
        await run.emit(note("progress", stage="start"))
        await say(run, "Hel", "lo")
        seen = await reading
        assert seen.text() == "Hello"
        assert (seen.kinds[0], seen.kinds[-1]) == ("progress", "final")
        assert seen.ids == sorted(set(seen.ids))
        assert reader.cursor.event_id == seen.ids[-1] == 4
        await reader.aclose()
        assert here.bus.readers("s") == 0


async def test_what_is_on_the_wire_names_the_event(place: Place) -> None:
    async with instance(place) as here:
        run = await here.writer.begin("s", "user")
        await run.emit(note("tool_call", tool="x", text="\0 é"))
        await run.emit(FINAL)
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        seen = await read_until(reader, finished)
        first = json.loads(seen.events[0].payload)
        assert (first["id"], first["event"]) == ("1", "tool_call")
        assert first["data"]["session_id"] == "s"
        assert first["data"]["data"] == {"tool": "x", "text": "\0 é"}
        assert first["data"]["timestamp"][10] == "T"


async def test_resuming_from_a_cursor_misses_and_repeats_nothing(place: Place) -> None:
    texts = [f"{n} " for n in range(60)]
    async with instance(place, bus_rules=SMALL) as here:
        run = await here.writer.begin("s", "user")
        for number, text in enumerate(texts):
            await run.emit(delta(text))
            if number % 7 == 0:
                await run.flush()
        await run.emit(FINAL)
        for have in (0, 1, 23, 59, 60):
            reader = await here.bus.subscribe(Cursor("s", have), "s")
            seen = await read_until(reader, finished)
            assert seen.text(after=have) == "".join(texts[have:])
            assert seen.ids[0] > have


async def test_a_cursor_beyond_the_end_silences_nobody(place: Place) -> None:
    """It was taken for the place where the session stands, and what the next run said was refused as older."""
    async with instance(place) as here:
        await say(await here.writer.begin("s", "user"), "one")
        beyond = await here.bus.subscribe(Cursor("s", 1_000), "s")
        assert (await read_to_end(beyond)).ids == []
        reader = await here.bus.subscribe(None, "s")
        reading = asyncio.create_task(read_until(reader, finished))
        await say(await here.writer.begin("s", "user"), "two")
        assert (await reading).text() == "two"


async def test_a_reader_that_is_ahead_gets_what_is_behind_its_cursor_alone(place: Place) -> None:
    """Another instance has shown it more than this one knows of: nothing is shown twice."""
    async with instance(place) as here:
        await say(await here.writer.begin("s", "user"), "one")  # ids 1 and 2
        watcher = await here.bus.subscribe(Cursor("s", 0), "s")
        ahead = await here.bus.subscribe(Cursor("s", 4), "s")
        reading = [asyncio.create_task(read_until(each, lambda seen: 6 in seen.ids)) for each in (watcher, ahead)]
        run = await here.writer.begin("s", "user")
        for text in ("a", "b", "c", "d"):
            await run.emit(note("progress", text=text))  # ids 3 to 6
        await run.flush()
        seen, short = await asyncio.gather(*reading)
        assert (seen.ids[-4:], short.ids) == ([3, 4, 5, 6], [5, 6])
        await run.emit(FINAL)


async def test_a_slow_reader_loses_nothing_and_delays_nobody(place: Place) -> None:
    """Lesson d: deltas were dropped for a slow reader; visible text is never lost."""
    texts = [f"{n} " for n in range(150)]
    async with instance(place, bus_rules=SMALL) as here:
        slow = await here.bus.subscribe(None, "s")
        quick = await here.bus.subscribe(None, "s")
        run = await here.writer.begin("s", "user")
        reading = asyncio.create_task(read_until(quick, finished))
        await say(run, *texts)  # the producer ends although one reader reads nothing
        assert (await reading).text() == "".join(texts)
        seen = await read_until(slow, finished)
        assert seen.text() == "".join(texts)
        assert seen.ids == sorted(set(seen.ids))


async def test_all_readers_get_the_same_bytes(place: Place) -> None:
    async with instance(place) as here:
        readers = [await here.bus.subscribe(None, "s") for _ in range(20)]
        run = await here.writer.begin("s", "user")
        reading = [asyncio.create_task(read_until(reader, finished)) for reader in readers]
        await asyncio.sleep(0)
        await say(run, "a", "b")
        seen = [await each for each in reading]
        assert len({each.text() for each in seen}) == 1
        if place.profile == "optimised":
            assert len({id(each.events[-1].payload) for each in seen}) == 1
            assert all(any(isinstance(delivery, Live) for delivery in each.deliveries) for each in seen)
        else:
            assert not any(isinstance(delivery, Live) for each in seen for delivery in each.deliveries)


async def test_not_every_id_is_stored(place: Place) -> None:
    """Lesson p: some events are shown and never stored; ids serve order and cursors alone."""
    async with instance(place) as here:
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        shown = await run.emit(Draft("token_usage", {"total": 3}, stored=False))
        await run.emit(FINAL)
        assert (shown.event_id, shown.stored) == (2, False)
        page = await here.storage.events.read(Cursor("s", 0))
        assert [event.event_id for event in page.events] == [1, 3]
        reader = await here.bus.subscribe(Cursor("s", 1), "s")
        assert (await read_until(reader, finished)).ids[-1] == 3


async def test_gone_by_age_is_told(timed: Place) -> None:
    async with instance(timed) as here:
        await say(await here.writer.begin("s", "user"), "old")
        timed.manual.advance(1_000)
        await say(await here.writer.begin("s", "user"), "new")
        assert await here.storage.events.prune(500) == 2
    async with instance(timed) as later:
        reader = await later.bus.subscribe(Cursor("s", 1), "s")
        seen = await read_until(reader, finished)
        assert seen.lost == [HistoryLost(2, 2, LossReason.AGED)]
        assert seen.text() == "new"


async def test_a_new_history_under_an_old_name_is_told(place: Place) -> None:
    async with instance(place) as here:
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        await say(await here.writer.begin("s", "user"), "one ", "two")
        assert (await read_until(reader, finished)).text() == "one two"
        await here.storage.events.forget("s")
        await say(await here.writer.begin("s", "user"), "again")
        seen = await read_until(reader, finished)
        assert [(each.first_id, each.reason) for each in seen.lost] == [(1, LossReason.RESET)]
        assert seen.text() == "again"


async def test_clean_up_is_never_coupled_to_a_turn(place: Place) -> None:
    """Lesson b: events deleted at the start of a turn made resume cursors jump."""
    async with instance(place) as here:
        for turn in ("first", "second", "third"):
            await say(await here.writer.begin("s", "user"), turn)
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        seen = await read_until(reader, lambda seen: seen.kinds.count("final") == 3)
        assert seen.text() == "firstsecondthird"
        assert seen.ids == [1, 2, 3, 4, 5, 6]
        assert seen.lost == []


async def test_a_resume_ends_when_nothing_is_at_work(place: Place) -> None:
    async with instance(place) as here:
        lease = await here.storage.leases.acquire(LeaseRequest("s", "run", "user"))
        assert lease is not None
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        reading = asyncio.create_task(read_to_end(reader))
        await say(await here.writer.begin("s", "user"), "x")
        await asyncio.sleep(0.1)
        assert not reading.done()  # the run has said its last word, and still holds its lease
        await here.storage.leases.release(lease)
        seen = await reading
        assert (seen.text(), seen.settled) == ("x", 1)


async def test_a_queued_task_counts_as_active(place: Place) -> None:
    """Lesson g: watch and resume ended while the task was still queued."""
    async with instance(place) as here:
        await here.storage.tasks.enqueue([NewTask("t", b"", session_id="s")])
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        reading = asyncio.create_task(read_to_end(reader))
        await here.writer.say("s", "user", note("queued", queue_id="t"))
        await asyncio.sleep(0.1)
        assert not reading.done()
        await here.writer.say("s", "user", CANCELLED)
        await here.storage.tasks.cancel_task("t")
        seen = await reading
        assert seen.kinds == ["queued", "error"]


async def test_a_watcher_sees_queued_start_output_and_end_without_reloading(place: Place) -> None:
    """Lesson f: queue events live in the same event sequence."""
    async with instance(place) as here:
        reader = await here.bus.subscribe(None, "s")
        reading = asyncio.create_task(read_until(reader, finished))
        await asyncio.sleep(0)
        await here.writer.say("s", "user", note("queued"))
        run = await here.writer.begin("s", "user")
        await run.emit(note("progress", stage="start"))
        await say(run, "out")
        seen = await reading
        assert [kind for kind in seen.kinds if kind != "llm_output_delta"] == ["queued", "progress", "final"]
        assert seen.text() == "out"
        assert seen.ids == [1, 2, 3, 4]


async def test_closing_a_reader_ends_its_iteration_and_nobody_elses(place: Place) -> None:
    async with instance(place) as here:
        gone, stays = await here.bus.subscribe(None, "s"), await here.bus.subscribe(None, "s")
        ending = asyncio.create_task(_all(gone))
        await asyncio.sleep(0.02)
        await gone.aclose()
        await gone.aclose()
        await ending
        assert here.bus.readers("s") == 1
        reading = asyncio.create_task(read_until(stays, finished))
        await say(await here.writer.begin("s", "user"), "x")
        assert (await reading).text() == "x"


async def _all(reader: object) -> None:
    async for _ in reader:  # type: ignore[attr-defined]
        pass
