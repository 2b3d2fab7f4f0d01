"""The share of the limit that an instance holds, as others see it in storage."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.kernel.clock import ManualClock
from tests.contract.test_limiter import ask, granted, limited
from tests.storages import Place


async def test_renewals_do_not_hide_that_somebody_waits(place: Place) -> None:
    """Without a notification the holder of the slots sees it only in storage, and looks there seldom."""
    if place.profile == "rollback":
        pytest.skip("it counts, and holds no share")
    async with place.open() as storage:
        other = storage.shares

        async def waited_for() -> int:
            return (await other.claim("sessions", "other", wanted=2, keep=2, limit=2, ttl_s=60.0)).waiting

        await waited_for()
        # Long enough that no share runs out on a machine that is busy elsewhere.
        async with limited(place, lease_s=1.5) as (limiter, _):
            waiting = asyncio.create_task(limiter.admit(ask("s", wait_s=15.0)))
            while not await waited_for():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            for _ in range(80):  # three renewals and more
                assert await waited_for()
                await asyncio.sleep(0.02)
            await other.give_back("sessions", "other")
            await (await waiting).release()


async def test_of_a_share_that_ran_out_only_what_is_in_use_is_kept(place: Place) -> None:
    """Others may have taken the rest meanwhile: to keep it would let in more than the limit."""
    if place.profile == "rollback":
        pytest.skip("it counts, and holds no share")
    clock = ManualClock()
    async with limited(place, max_active=4, lease_s=0.3, clock=clock) as (limiter, storage):
        first = await granted(limiter, ask("s"))

        async def held() -> int:
            return (await storage.shares.claim("sessions", "other", wanted=0, keep=0, limit=4, ttl_s=60.0)).others

        clock.advance(1.0)
        while await held() != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        second = await granted(limiter, ask("t"))
        await second.release()
        await first.release()
