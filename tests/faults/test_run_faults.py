"""Runs whose process is killed or paused: what was flushed is there, and whoever comes back late writes nothing."""

from __future__ import annotations

import random
import signal

import pytest

from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.ports.limiter import Admission
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.faults.processes import ask, child, cut_connections, killed, lines_until
from tests.storages import Place
from tests.streams import EAGER, FINAL, SWEPT, delta, finished, instance, read_until


@pytest.mark.timeout(60)
async def test_a_killed_writer_loses_nothing_that_was_flushed(place: Place) -> None:
    """Kill -9 at a random point; the run is ended from outside, once."""
    chance = random.Random(3)
    async with child("write_run", place) as process:
        told = [line for _ in range(chance.randint(3, 25)) for line in await lines_until(process, "flushed")]
        told += await killed(process)
    flushed = max(int(line[1]) for line in told)
    async with instance(place, bus_rules=SWEPT) as here:
        assert await here.writer.settle("s", FINAL) is not None
        assert await here.writer.settle("s", FINAL) is None
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        seen = await read_until(reader, finished)
    numbers = [int(number) for number in seen.text().split()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= flushed
    assert seen.kinds.count("final") == 1
    assert seen.lost == []


@pytest.mark.timeout(60)
async def test_a_writer_that_was_paused_finds_its_stream_taken(place: Place) -> None:
    """SIGSTOP; a successor writes and ends; SIGCONT: what the old run still writes is rejected and counted."""
    async with child("write_run", place) as process, instance(place, bus_rules=SWEPT, writer_rules=EAGER) as here:
        for _ in range(4):
            await lines_until(process, "flushed")
        process.send_signal(signal.SIGSTOP)
        run = await here.writer.begin("s", "u")
        await run.emit(delta("mine"))
        await run.emit(FINAL)
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        before = await read_until(reader, finished)
        process.send_signal(signal.SIGCONT)
        rejected = (await lines_until(process, "fenced"))[-1]
        assert int(rejected[1]) >= 1
        again = await read_until(await here.bus.subscribe(Cursor("s", 0), "s"), finished)
    assert again.ids == before.ids
    assert again.text() == before.text()
    assert again.text().endswith("mine")


@pytest.mark.timeout(60)
async def test_a_run_that_was_paused_past_its_lease_is_told(place: Place) -> None:
    """SIGSTOP; another run takes the session; SIGCONT: the grant is lost, and giving it back harms nobody."""
    switches = read_switches(place.profile)
    async with (
        child("hold_session", place) as process,
        place.open() as storage,
        build_limiter(LimiterRules(lease_s=5.0, retry_s=0.05), switches, Meters(), storage=storage) as limiter,
    ):
        admitted = (await lines_until(process, "admitted"))[-1]
        process.send_signal(signal.SIGSTOP)
        grant = await limiter.admit(Admission("s", "u", "parent", session_wait_s=30.0))
        assert grant.lease.epoch > int(admitted[1])
        process.send_signal(signal.SIGCONT)
        assert (await lines_until(process, "lost"))[-1] == ["lost"]
        await ask(process)
        assert int((await lines_until(process, "counted"))[-1][1]) >= 1
        assert not grant.lost
        assert await storage.leases.renew([grant.lease], 5.0) == frozenset()
        await grant.release()


@pytest.mark.timeout(60)
async def test_connections_cut_under_a_writing_run(postgres_dsn: str) -> None:
    """pg_terminate_backend, ten times: batches are sent again, no event is lost or doubled."""
    place = Place(postgres_dsn, "optimised")
    async with instance(place, bus_rules=SWEPT, writer_rules=EAGER) as here:
        run = await here.writer.begin("s", "u")
        texts = [f"{number} " for number in range(200)]
        for number, text in enumerate(texts):
            await run.emit(delta(text))
            if number % 20 == 10:
                await cut_connections(postgres_dsn)
        await run.emit(FINAL)
        assert here.count("evenkeel_writes_retries_total") > 0
    async with instance(place, bus_rules=SWEPT) as later:
        seen = await read_until(await later.bus.subscribe(Cursor("s", 0), "s"), finished)
    assert seen.text() == "".join(texts)
    assert seen.kinds.count("final") == 1
