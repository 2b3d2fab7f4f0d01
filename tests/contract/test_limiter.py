"""The limiter: never more than the limit, one run per session, and grants that belong to runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.ports.errors import QueueFullError, SaturatedError, SessionBusyError
from evenkeel.hotpath.ports.limiter import Admission, Grant, Limiter, Refusal
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import ConfigurationError, UsageError
from evenkeel.kernel.metrics import Meters
from tests.storages import Place
from tests.streams import until


def rules(**changes: object) -> LimiterRules:
    """A new instance each time: its name is its own."""
    fresh = LimiterRules(max_active=2, poll_s=0.01, retry_s=0.005, retry_max_s=0.02)
    return replace(fresh, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def limited(place: Place, **changes: object) -> AsyncIterator[tuple[Limiter, Storage]]:
    meters = Meters()
    switches = read_switches(place.profile)
    async with (
        place.open(meters) as storage,
        build_limiter(rules(**changes), switches, meters, storage=storage) as limiter,
    ):
        yield limiter, storage


def ask(session_id: str, owner: str = "", **more: object) -> Admission:
    settings: dict[str, object] = {"wait_s": 0.2, "session_wait_s": 0.0, **more}
    return Admission(session_id, "user", owner or f"run-{session_id}", **settings)  # type: ignore[arg-type]


async def granted(limiter: Limiter, admission: Admission) -> Grant:
    found = await limiter.try_admit(admission)
    assert not isinstance(found, Refusal)
    return found


async def test_a_limit_of_one_lets_one_pass(place: Place) -> None:
    """Lesson h: capacity was counted, then taken: with a limit of 1, two passed."""
    async with limited(place, max_active=1) as (limiter, _):
        for turn in range(3):
            found = await asyncio.gather(*(limiter.try_admit(ask(f"{turn}-{n}")) for n in range(10)))
            held = [each for each in found if not isinstance(each, Refusal)]
            assert len(held) == 1
            assert [each for each in found if isinstance(each, Refusal)] == [Refusal.FULL] * 9
            await held[0].release()


async def test_the_limit_holds_over_instances(place: Place) -> None:
    """Lesson h, between instances: check and reserve are one step."""
    few = {"max_active": 3, "lease_s": 0.9}
    async with limited(place, **few) as (here, _), limited(place, **few) as (there, _):
        active, most = 0, 0

        async def run(limiter: Limiter, number: int) -> None:
            nonlocal active, most
            async with await limiter.admit(ask(f"s{number}", wait_s=15.0)):
                active += 1
                most = max(most, active)
                await asyncio.sleep(0.002)
                active -= 1

        await asyncio.gather(
            *(
                run(limiter, number)
                for number in range(20)
                for limiter in (here, there)
                if number % 2 == (limiter is here)
            )
        )
        assert 1 <= most <= 3
        assert active == 0


async def test_a_session_has_one_run(place: Place) -> None:
    """Here and elsewhere. Who asks needs no slot: which instance holds the idle ones is another matter."""
    async with limited(place) as (here, _), limited(place) as (there, _):
        first = await here.admit(ask("s", "first", wait_s=15.0))
        for limiter in (here, there):
            assert await limiter.try_admit(ask("s", "second", exempt=True)) is Refusal.BUSY
        with pytest.raises(SessionBusyError) as raised:
            await here.admit(ask("s", "second", session_wait_s=0.03, exempt=True))
        assert raised.value.hint
        await first.release()
        second = await here.admit(ask("s", "second", wait_s=15.0))
        assert second.lease.epoch > first.lease.epoch
        await second.release()


async def test_a_refused_caller_leaves_nothing_behind(place: Place) -> None:
    async with limited(place) as (limiter, storage):
        holder = await granted(limiter, ask("s", "holder"))
        for _ in range(5):
            assert await limiter.try_admit(ask("s", "other")) is Refusal.BUSY
        assert limiter.occupancy().active == 1
        other = await granted(limiter, ask("t"))
        with pytest.raises(SaturatedError) as raised:
            await limiter.admit(ask("u", wait_s=0.03))
        assert raised.value.retry_after_s > 0
        assert set(await storage.leases.live(["s", "t", "u"])) == {"s", "t"}
        await holder.release()
        await other.release()
        assert limiter.occupancy().active == 0


async def test_a_cancelled_caller_leaves_nothing_behind(place: Place) -> None:
    async with limited(place, max_active=1) as (limiter, storage):
        for number in range(12):
            asking = asyncio.create_task(limiter.admit(ask(f"s{number}")))
            for _ in range(number % 4):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                (await asking).lease  # noqa: B018 it may have been granted in the same moment
        names = [f"s{number}" for number in range(12)]
        while await storage.leases.live(names):  # noqa: ASYNC110 storage sets no event for tests
            await asyncio.sleep(0.005)
        assert limiter.occupancy().active == 0
        await (await granted(limiter, ask("last"))).release()


async def test_waiters_are_served_as_slots_come_free(place: Place) -> None:
    async with limited(place, max_active=1) as (limiter, _):
        first = await granted(limiter, ask("s0"))
        order: list[int] = []

        async def wait(number: int) -> None:
            async with await limiter.admit(ask(f"s{number}", wait_s=10.0)):
                order.append(number)

        waiting = [asyncio.create_task(wait(number)) for number in range(1, 6)]
        await until(lambda: limiter.occupancy().waiting == 5)
        await first.release()
        await asyncio.gather(*waiting)
        assert sorted(order) == [1, 2, 3, 4, 5]
        if place.profile == "optimised":
            assert order == [1, 2, 3, 4, 5]


async def test_administrators_skip_the_limit_and_not_the_session(place: Place) -> None:
    async with limited(place, max_active=1) as (limiter, _):
        held = await granted(limiter, ask("s"))
        exempt = await granted(limiter, ask("t", exempt=True))
        assert await limiter.try_admit(ask("s", "admin", exempt=True)) is Refusal.BUSY
        assert limiter.occupancy().active == 1
        await exempt.release()
        assert await limiter.try_admit(ask("u")) is Refusal.FULL
        await held.release()


async def test_a_grant_belongs_to_the_run_not_to_the_connection(place: Place) -> None:
    """Lesson e: a broken connection dropped the run's lease while the model still ran."""
    async with limited(place) as (limiter, storage):
        runs: list[asyncio.Task[None]] = []
        working, finish = asyncio.Event(), asyncio.Event()

        async def run(grant: Grant) -> None:
            async with grant:
                working.set()
                await finish.wait()

        async def connection() -> None:
            grant = await limiter.admit(ask("s"))
            runs.append(asyncio.create_task(run(grant)))
            await asyncio.sleep(3_600)

        client = asyncio.create_task(connection())
        await working.wait()
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        assert set(await storage.leases.live(["s"])) == {"s"}
        assert await limiter.try_admit(ask("s", "next")) is Refusal.BUSY
        finish.set()
        await runs[0]
        await (await granted(limiter, ask("s", "next"))).release()


async def test_a_lost_lease_is_told(place: Place) -> None:
    async with limited(place, lease_s=1.5) as (limiter, storage):
        grant = await granted(limiter, ask("s"))
        told: list[str] = []
        grant.on_lost(lambda: told.append("lost"))
        await storage.leases.release(grant.lease)
        await until(lambda: bool(told))
        assert grant.lost
        grant.on_lost(lambda: told.append("too late"))
        assert told == ["lost", "too late"]
        await grant.release()
        await grant.release()
        await (await granted(limiter, ask("s", "next"))).release()


async def test_a_kept_lease_outlives_its_time(place: Place) -> None:
    async with limited(place, lease_s=1.0) as (limiter, storage):
        grant = await granted(limiter, ask("s"))
        await asyncio.sleep(1.5)
        assert not grant.lost
        assert (await storage.leases.live(["s"]))["s"] == grant.lease
        await grant.release()
        assert await storage.leases.live(["s"]) == {}


@pytest.mark.blocking_allowed("a tool that blocks the loop is what the test is about")
async def test_a_stalled_loop_keeps_its_leases(database: Place) -> None:
    """The heartbeat must not share the loop that runs user tools."""
    async with limited(database, lease_s=1.0) as (limiter, storage):
        grant = await granted(limiter, ask("s"))
        time.sleep(1.6)  # noqa: ASYNC251
        assert not grant.lost
        assert (await storage.leases.live(["s"]))["s"] == grant.lease
        await grant.release()


async def test_unused_slots_move_to_the_instance_that_needs_them(database: Place) -> None:
    few = {"max_active": 4, "lease_s": 0.9}  # on SQLite no wake-ups travel: each learns at its next renewal
    async with limited(database, **few) as (here, _), limited(database, **few) as (there, _):
        grants = [await here.admit(ask(f"s{n}", wait_s=5.0)) for n in range(3)]
        late = [await there.admit(ask("t", wait_s=10.0))]
        assert isinstance(await there.try_admit(ask("u")), Refusal)
        for grant in grants:
            await grant.release()
        late += [await there.admit(ask(f"v{n}", wait_s=10.0)) for n in range(3)]
        for grant in late:
            await grant.release()


async def test_the_line_is_bounded(database: Place) -> None:
    async with limited(database, max_active=1, waiting=1) as (limiter, _):
        held = await granted(limiter, ask("s"))
        waiting = asyncio.create_task(limiter.admit(ask("t", wait_s=10.0)))
        await until(lambda: limiter.occupancy().waiting == 1)
        with pytest.raises(QueueFullError):
            await limiter.admit(ask("u"))
        await held.release()
        await (await waiting).release()


async def test_closing_gives_the_share_back_and_ends_the_thread(database: Place) -> None:
    before = {thread.name for thread in threading.enumerate()}
    async with database.open() as storage:
        switches = read_switches("optimised")
        async with build_limiter(rules(max_active=2), switches, Meters(), storage=storage) as limiter:
            assert "evenkeel-limiter" in {thread.name for thread in threading.enumerate()} - before
        assert "evenkeel-limiter" not in {thread.name for thread in threading.enumerate()}
        assert (await storage.shares.claim("sessions", "x", wanted=2, keep=0, limit=2, ttl_s=5)).granted == 2
        with pytest.raises(UsageError):
            await limiter.admit(ask("s"))


async def test_a_split_limit_is_refused(database: Place) -> None:
    async with database.open() as storage:
        with pytest.raises(ConfigurationError):
            async with build_limiter(
                rules(), read_switches("optimised", {"limiter": "30%"}), Meters(), storage=storage
            ):
                pass
