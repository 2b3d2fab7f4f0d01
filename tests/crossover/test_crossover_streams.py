"""What one path of events, writes, limiter and cancellation leaves in storage, the other goes on with."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from evenkeel.hotpath.cancellation import CancelRules, build_cancellation
from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.limiter import Admission, Limiter, Refusal
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.storages import Place
from tests.streams import SWEPT, finished, instance, note, read_until, say

BOTH_WAYS = pytest.mark.parametrize(("first", "second"), [("optimised", "rollback"), ("rollback", "optimised")])


@BOTH_WAYS
async def test_a_history_written_on_one_path_is_read_and_continued_on_the_other(
    database: Place, first: str, second: str
) -> None:
    async with instance(database.on(first), bus_rules=SWEPT) as here:
        await say(await here.writer.begin("s", "user"), "one ", "two ")
    async with instance(database.on(second), bus_rules=SWEPT) as there:
        reader = await there.bus.subscribe(Cursor("s", 0), "s")
        assert (await read_until(reader, finished)).text() == "one two "
        await say(await there.writer.begin("s", "user"), "three")
    async with instance(database.on(first), bus_rules=SWEPT) as again:
        reader = await again.bus.subscribe(Cursor("s", 1), "s")
        seen = await read_until(reader, lambda seen: seen.kinds.count("final") == 2)
        assert seen.text(after=1) == "two three"
        assert (await again.storage.events.read(Cursor("s", 0))).last_id == 5


@BOTH_WAYS
async def test_a_reader_on_one_path_follows_a_writer_on_the_other(database: Place, first: str, second: str) -> None:
    async with (
        instance(database.on(first), bus_rules=SWEPT) as here,
        instance(database.on(second), bus_rules=SWEPT) as there,
    ):
        reader = await there.bus.subscribe(Cursor("s", 0), "s")
        reading = asyncio.create_task(read_until(reader, finished))
        run = await here.writer.begin("s", "user")
        await run.emit(note())
        await say(run, "a", "b")
        seen = await reading
        assert (seen.text(), seen.kinds[0]) == ("ab", "progress")


@BOTH_WAYS
async def test_a_session_held_on_one_path_is_busy_on_the_other(database: Place, first: str, second: str) -> None:
    def built(profile: str) -> AbstractAsyncContextManager[Limiter]:
        rules = LimiterRules(max_active=5, poll_s=0.01)
        return build_limiter(rules, read_switches(profile), Meters(), storage=storage)

    async with database.open() as storage, built(first) as here, built(second) as there:
        grant = await here.try_admit(Admission("s", "user", "run"))
        assert not isinstance(grant, Refusal)
        assert await there.try_admit(Admission("s", "user", "other")) is Refusal.BUSY
        await grant.release()
        other = await there.try_admit(Admission("s", "user", "other"))
        assert not isinstance(other, Refusal)
        assert other.lease.epoch > grant.lease.epoch
        await other.release()


@BOTH_WAYS
async def test_a_run_on_one_path_is_cancelled_from_the_other(database: Place, first: str, second: str) -> None:
    rules = CancelRules(grace_s=0.01, check_s=0.02, poll_s=0.02)
    async with (
        instance(database.on(first), bus_rules=SWEPT) as here,
        instance(database.on(second), bus_rules=SWEPT) as there,
        build_cancellation(rules, read_switches(first), Meters(), storage=here.storage, writer=here.writer) as mine,
        build_cancellation(
            rules, read_switches(second), Meters(), storage=there.storage, writer=there.writer
        ) as theirs,
    ):
        assert await here.storage.leases.acquire(LeaseRequest("s", "run", "user"))
        with mine.token("s", "run") as token:
            await asyncio.sleep(0.1)
            run = await here.writer.begin("s", "user")
            await run.emit(note())
            report = await theirs.cancel("s")
            assert report.terminal_event is not None
            assert await token.wait() in {CancelledBy.USER, CancelledBy.LEASE_LOST}
        page = await here.storage.events.read(Cursor("s", 0), limit=100)
        assert sum(event.payload.startswith(b'{"event":"error"') for event in page.events) == 1
