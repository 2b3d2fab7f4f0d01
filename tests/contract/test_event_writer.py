"""The event writer: one order, one writer, a barrier that holds, and nothing lost that was acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from evenkeel.hotpath.ports.agent_tasks import NewTask
from evenkeel.hotpath.ports.errors import (
    FencedError,
    OffsetTakenError,
    OversizedError,
    QueueFullError,
    UnencodableError,
    UnknownSessionError,
)
from evenkeel.hotpath.ports.event_writer import Draft, RunWriter
from evenkeel.hotpath.ports.stream_events import RESERVE_AHEAD, Cursor, EventBatch, TaskFence
from evenkeel.kernel.errors import UsageError
from tests.storages import Place
from tests.streams import (
    CANCELLED,
    EAGER,
    FINAL,
    SWEPT,
    Instance,
    delta,
    finished,
    instance,
    note,
    read_until,
    say,
    until,
)

PATIENT = replace(EAGER, batch_s=60.0)
"""Nothing leaves by time: only size and barriers store."""


async def kinds(here: Instance, session_id: str = "s") -> list[str]:
    page = await here.storage.events.read(Cursor(session_id, 0), limit=10_000)
    return [EAGER.envelope.opened(session_id, page.epoch, stored).kind for stored in page.events]


async def test_order_is_the_order_of_emit(place: Place) -> None:
    """Lesson a: overflow written beside the queue overtook earlier rows, and a terminal row landed first."""
    rules = replace(EAGER, session_events=8, batch_events=4)
    async with instance(place, writer_rules=rules) as here:
        run = await here.writer.begin("s", "user")
        await asyncio.gather(*(run.emit(note("progress", n=n)) for n in range(100)))
        await run.emit(FINAL)
        page = await here.storage.events.read(Cursor("s", 0), limit=500)
        assert [event.event_id for event in page.events] == list(range(1, 102))
        numbers = [int(event.payload.split(b'"n":')[1].split(b"}")[0]) for event in page.events[:-1]]
        assert numbers == list(range(100))
        assert not page.open


async def test_the_barrier_holds(place: Place) -> None:
    """Lesson a: a flush barrier is awaited before any terminal state is written."""
    async with instance(place, writer_rules=PATIENT) as here:
        run = await here.writer.begin("s", "user")
        for _ in range(5):
            await run.emit(note())
        await run.flush()
        assert await kinds(here) == ["progress"] * 5
        await run.emit(note())
        await run.emit(FINAL)  # its own barrier
        assert await kinds(here) == ["progress"] * 6 + ["final"]
        assert here.writer.level().events == 0


async def test_time_and_size_store_without_being_asked(place: Place) -> None:
    async with instance(place, writer_rules=replace(PATIENT, batch_events=3)) as here:
        run = await here.writer.begin("s", "user")
        for _ in range(3):
            await run.emit(note())
        await until(lambda: here.count("evenkeel_writes_rows_total") == 3)
        await run.close()
    async with instance(place) as here:
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        await until(lambda: here.count("evenkeel_writes_rows_total") == 1)
        await run.close()


async def test_deltas_share_a_row_and_other_events_close_it(place: Place) -> None:
    async with instance(place, writer_rules=PATIENT) as here:
        run = await here.writer.begin("s", "user")
        for text in "ab":
            await run.emit(delta(text))
        await run.emit(note("tool_call"))
        await say(run, "c", "d")
        page = await here.storage.events.read(Cursor("s", 0))
        ids = [event.event_id for event in page.events]
        assert ids == ([2, 3, 5, 6] if place.profile == "optimised" else [1, 2, 3, 4, 5, 6])
        reader = await here.bus.subscribe(Cursor("s", 1), "s")
        assert (await read_until(reader, finished)).text(after=1) == "bcd"


async def test_ids_go_on_above_what_was_shown_and_never_stored(place: Place) -> None:
    """Lesson c: event ids started again; the next id comes from storage and from what is not yet flushed."""
    async with instance(place) as here:
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        await run.emit(Draft("token_usage", {}, stored=False))
        await run.flush()
        async with instance(place, bus_rules=SWEPT) as successor:  # the first never closes its term
            shown = await run.emit(Draft("token_usage", {}, stored=False))
            taken_over = await successor.writer.begin("s", "user")
            event = await taken_over.emit(note())
            assert event.event_id > shown.event_id
            await taken_over.emit(FINAL)
            with pytest.raises(FencedError):
                await emit_and_flush(run)
            with pytest.raises(FencedError) as raised:
                await run.emit(note())
            assert raised.value.hint
            assert await kinds(successor) == ["progress", "progress", "final"]


async def test_a_run_may_say_more_than_was_reserved_at_first(place: Place) -> None:
    async with instance(place, writer_rules=replace(EAGER, join_bytes=60_000)) as here:
        if place.profile == "rollback":
            pytest.skip("one write per event: thousands of commits")
        run = await here.writer.begin("s", "user")
        count = RESERVE_AHEAD * 2 + 10
        for number in range(count):
            await run.emit(delta("x") if number % 3 else Draft("token_usage", {}, stored=False))
        last = await run.emit(FINAL)
        assert last.event_id == count + 1
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        seen = await read_until(reader, finished)
        assert len(seen.text()) == count - len(range(0, count, 3))


async def test_a_new_run_here_fences_the_old_one_and_keeps_its_words(place: Place) -> None:
    async with instance(place, writer_rules=PATIENT) as here:
        old = await here.writer.begin("s", "user")
        await old.emit(note("old"))
        new = await here.writer.begin("s", "user")
        with pytest.raises(FencedError):
            await old.emit(note("zombie"))
        await new.emit(note("new"))
        await new.emit(FINAL)
        assert await kinds(here) == ["old", "new", "final"]


async def test_of_a_run_and_a_settle_exactly_one_ends_it(place: Place) -> None:
    """Lesson i: one stored terminal event; an old coroutine cannot overwrite newer state."""
    async with instance(place) as here, instance(place, bus_rules=SWEPT) as there:
        for number, settler in enumerate((here, there, here, there)):
            name = f"s{number}"
            run = await here.writer.begin(name, "user")
            await run.emit(note())
            await run.flush()
            ended, settled = await asyncio.gather(
                run.emit(FINAL), settler.writer.settle(name, CANCELLED), return_exceptions=True
            )
            assert isinstance(ended, FencedError) or settled is None
            assert not (isinstance(ended, FencedError) and settled is None)
            assert (await kinds(here, name))[1:] in (["final"], ["error"])
            assert await settler.writer.settle(name, CANCELLED) is None
            with pytest.raises(FencedError):
                await run.emit(note())


async def test_settling_a_run_here_keeps_what_it_said(place: Place) -> None:
    async with instance(place, writer_rules=PATIENT) as here:
        run = await here.writer.begin("s", "user")
        await run.emit(note("said"))
        event = await here.writer.settle("s", CANCELLED)
        assert event is not None
        assert event.event_id == 2
        assert await kinds(here) == ["said", "error"]
        with pytest.raises(FencedError):
            await run.emit(note("late"))


async def test_the_terminal_event_is_shown_once_it_is_stored(place: Place) -> None:
    async with instance(place) as here, instance(place, bus_rules=SWEPT) as there:
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        assert await there.writer.settle("s", CANCELLED) is not None
        with pytest.raises(FencedError):
            await run.emit(FINAL)
        await here.writer.say("s", "user", note("queued"))
        seen = await read_until(reader, lambda seen: "queued" in seen.kinds)
        assert [kind for kind in seen.kinds if kind in {"final", "error"}] == ["error"]


async def test_a_post_from_elsewhere_takes_its_place_in_the_run(place: Place) -> None:
    """Lesson f: queue events live in the same event sequence."""
    rules = replace(EAGER, posts_s=0.05)
    async with instance(place, writer_rules=rules) as here, instance(place, bus_rules=SWEPT) as there:
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        run = await here.writer.begin("s", "user")
        await run.emit(note("first"))
        await run.flush()
        assert await there.writer.say("s", "user", note("queued")) is None
        if place.profile == "optimised":
            seen = await read_until(reader, lambda seen: "queued" in seen.kinds)
            assert seen.ids == sorted(set(seen.ids))
        await run.emit(FINAL)
        await until_kinds(here, ["final", "first", "queued"])
        page = await here.storage.events.read(Cursor("s", 0))
        assert [event.event_id for event in page.events] == [1, 2, 3]


async def emit_and_flush(run: RunWriter) -> None:
    await run.emit(note())
    await run.flush()


async def until_kinds(here: Instance, wanted: list[str]) -> None:
    while sorted(await kinds(here)) != wanted:  # noqa: ASYNC110 storage sets no event for tests
        await asyncio.sleep(0.01)


async def test_an_attempt_that_is_over_writes_nothing(timed: Place) -> None:
    async with instance(timed) as here:
        await here.storage.tasks.enqueue([NewTask("t", b"", session_id="s")])
        (first,) = await here.storage.tasks.claim("w", 1, lease_s=10)
        run = await here.writer.begin("s", "user", fence=TaskFence("t", first.attempt))
        await run.emit(note())
        await run.flush()
        timed.manual.advance(11)
        await here.storage.tasks.upkeep()
        with pytest.raises(FencedError):
            await emit_and_flush(run)
        assert await kinds(here) == ["progress"]


async def test_bad_events_are_refused_and_harm_nothing(place: Place) -> None:
    async with instance(place, writer_rules=replace(EAGER, event_bytes=10_000)) as here:
        run = await here.writer.begin("s", "user")
        with pytest.raises(UnencodableError):
            await run.emit(note(text="\ud800"))
        with pytest.raises(UnencodableError):
            await run.emit(note(thing=object()))
        with pytest.raises(OversizedError) as raised:
            await run.emit(note(text="x" * 20_000))
        assert raised.value.hint
        with pytest.raises(UsageError):
            await run.emit(Draft("progress", {}, terminal=True))
        event = await run.emit(note(text="NUL \0 is fine in JSON"))
        assert event.event_id == 1
        await run.emit(FINAL)
        with pytest.raises(UnknownSessionError):
            await here.writer.begin("s", "somebody else")
        with pytest.raises(UnknownSessionError):
            await here.writer.say("s", "somebody else", note())


async def test_one_bad_run_spares_the_others_of_its_batch(database: Place) -> None:
    async with instance(database, writer_rules=replace(PATIENT, buckets=1)) as here:
        good, bad = await here.writer.begin("good", "user"), await here.writer.begin("bad", "user")
        await here.storage.events.append([EventBatch("bad", "user", bad.term, [1], [b"other"], 1)])
        await asyncio.gather(good.emit(note()), bad.emit(note()))
        with pytest.raises(OffsetTakenError):
            await bad.flush()
        await good.emit(FINAL)
        assert await kinds(here, "good") == ["progress", "final"]
        assert here.count("evenkeel_writes_given_up_total") == 1


async def test_over_the_bound_a_run_is_refused(place: Place) -> None:
    async with instance(place, writer_rules=replace(EAGER, sessions=1)) as here:
        await here.writer.begin("a", "user")
        with pytest.raises(QueueFullError):
            await here.writer.begin("b", "user")


async def test_closing_the_writer_stores_what_was_emitted(place: Place) -> None:
    async with instance(place, writer_rules=PATIENT) as here:
        for name in ("a", "b", "c"):
            run = await here.writer.begin(name, "user")
            await run.emit(note())
    async with instance(place) as here:
        for name in ("a", "b", "c"):
            assert await kinds(here, name) == ["progress"]
