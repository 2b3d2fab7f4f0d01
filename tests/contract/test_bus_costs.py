"""What the bus costs: nothing while it is silent, one read per instance and flush, and memory within its bounds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from evenkeel.hotpath.ports.errors import QueueFullError
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.ports.wakeups import Mode
from tests.storages import Place
from tests.streams import FINAL, QUIET, SWEPT, delta, finished, instance, note, read_to_end, read_until, say, until


async def test_a_reader_elsewhere_sees_it_too(place: Place) -> None:
    rules = QUIET if place.is_postgres else SWEPT
    async with instance(place) as here, instance(place, bus_rules=rules) as there:
        if place.is_postgres:
            await until(lambda: there.storage.wakeups.mode is Mode.LISTEN)
            await asyncio.sleep(0.05)
        readers = [await there.bus.subscribe(Cursor("s", 0), "s") for _ in range(5)]
        reading = [asyncio.create_task(read_until(reader, finished)) for reader in readers]
        run = await here.writer.begin("s", "user")
        for text in ("a", "b", "c"):
            await run.emit(delta(text))
            await run.flush()
        await run.emit(FINAL)
        for each in reading:
            seen = await each
            assert seen.text() == "abc"
            assert seen.ids == [1, 2, 3, 4]


async def test_many_watchers_elsewhere_cost_one_read_per_flush(place: Place) -> None:
    if not (place.is_postgres and place.profile == "optimised"):
        pytest.skip("wake-ups travel between processes on PostgreSQL; the rollback path polls per reader")
    async with instance(place) as here, instance(place) as there:
        await until(lambda: there.storage.wakeups.mode is Mode.LISTEN)
        await asyncio.sleep(0.05)
        readers = [await there.bus.subscribe(Cursor("s", 0), "s") for _ in range(40)]
        reading = [asyncio.create_task(read_until(reader, finished)) for reader in readers]
        assert await here.storage.leases.acquire(
            LeaseRequest("s", "run", "user")
        )  # else readers are told it is settled
        run = await here.writer.begin("s", "user")
        await until(lambda: there.count("evenkeel_events_reads_total", purpose="backfill") == 40)
        await asyncio.sleep(0.1)
        backfill = there.count("evenkeel_events_reads_total", purpose="backfill")
        relay = there.count("evenkeel_events_reads_total", purpose="relay")
        for _ in range(5):
            await run.emit(delta("x"))
            await run.flush()
            await asyncio.sleep(0.03)
        await run.emit(FINAL)
        for each in reading:
            assert (await each).text() == "xxxxx"
        assert there.count("evenkeel_events_reads_total", purpose="backfill") == backfill
        assert 1 <= there.count("evenkeel_events_reads_total", purpose="relay") - relay <= 6 + 2


async def test_an_idle_watcher_costs_no_query_and_no_wakeup(place: Place) -> None:
    """Lesson l: an idle watcher without minimum back-off took a whole core."""
    async with instance(place) as here:
        if place.is_postgres:
            await until(lambda: here.storage.wakeups.mode is Mode.LISTEN)
        watching = []
        for number in range(50):
            reader = await here.bus.subscribe(Cursor(f"s{number}", 0), f"s{number}")
            await read_to_end(reader)
            watching.append(asyncio.create_task(anext(reader)))
        await asyncio.sleep(0.05)
        reads = here.count("evenkeel_events_reads_total")
        calls = here.count("evenkeel_storage_call_seconds_count")
        await asyncio.sleep(0.2)
        later = here.count("evenkeel_storage_call_seconds_count") - calls
        assert not any(each.done() for each in watching)
        if place.profile == "optimised":
            assert here.count("evenkeel_events_reads_total") == reads
            assert later == 0
        else:
            assert later > 10  # what the rollback path costs
        for each in watching:
            each.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def test_watching_a_run_of_this_instance_reads_nothing(place: Place) -> None:
    """Online clients are served from memory: the database is for those who come back."""
    if place.profile == "rollback":
        pytest.skip("every reader polls")
    async with instance(place) as here:
        if place.is_postgres:  # from then on nothing is looked at for fear of having missed it
            await until(lambda: here.storage.wakeups.mode is Mode.LISTEN)
        readers = [await here.bus.subscribe(None, "s") for _ in range(10)]
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        reading = [asyncio.create_task(read_until(reader, finished)) for reader in readers]
        await asyncio.sleep(0.05)
        reads = here.count("evenkeel_events_reads_total")
        for _ in range(20):
            await run.emit(delta("x"))
            await asyncio.sleep(0.005)
        assert here.count("evenkeel_events_reads_total") == reads
        await run.emit(FINAL)
        assert [(await each).text() for each in reading] == ["x" * 20] * 10


async def test_over_the_bound_a_reader_is_refused(place: Place) -> None:
    async with instance(place, bus_rules=replace(QUIET, readers=2)) as here:
        first = await here.bus.subscribe(None, "a")
        await here.bus.subscribe(None, "b")
        with pytest.raises(QueueFullError) as raised:
            await here.bus.subscribe(None, "c")
        assert raised.value.hint
        await first.aclose()
        await here.bus.subscribe(None, "c")


async def test_memory_is_bounded_over_all_sessions(place: Place) -> None:
    rules = replace(QUIET, rings=10, total_bytes=16_000)
    async with instance(place, bus_rules=rules) as here:
        for number in range(40):
            run = await here.writer.begin(f"s{number}", "user")
            await say(run, "x" * 1_000)
        if place.profile == "optimised":
            assert 0 < here.count("evenkeel_events_rings_items") <= 10
            assert 0 < here.count("evenkeel_events_memory_bytes") <= 16_000
        reader = await here.bus.subscribe(Cursor("s0", 0), "s0")  # forgotten here, and still readable
        assert (await read_until(reader, finished)).text() == "x" * 1_000
