"""Leases and shares: one owner per session, epochs that only rise, a limit that nobody can exceed."""

from __future__ import annotations

import asyncio

from evenkeel.hotpath.ports.leases import Crowded, Lease, LeaseRequest
from tests.storages import Place


def wanted(session_id: str, owner: str, ttl_s: float = 30.0) -> LeaseRequest:
    return LeaseRequest(session_id, owner, "user", ttl_s=ttl_s)


async def test_a_session_has_one_owner(place: Place) -> None:
    async with place.open() as storage:
        got = await asyncio.gather(*(storage.leases.acquire(wanted("s", f"run{n}")) for n in range(12)))
        held = [lease for lease in got if lease is not None]
        assert len(held) == 1
        assert await storage.leases.live(["s", "other"]) == {"s": held[0]}


async def test_the_same_owner_asks_again_and_gets_the_same_epoch(place: Place) -> None:
    async with place.open() as storage:
        first = await storage.leases.acquire(wanted("s", "run"))
        assert first is not None
        assert await storage.leases.acquire(wanted("s", "run")) == first


async def test_an_expired_lease_is_taken_over_with_a_higher_epoch(timed: Place) -> None:
    async with timed.open() as storage:
        old = await storage.leases.acquire(wanted("s", "old", ttl_s=10))
        assert old is not None
        timed.manual.advance(9)
        assert await storage.leases.acquire(wanted("s", "new")) is None
        timed.manual.advance(2)
        new = await storage.leases.acquire(wanted("s", "new"))
        assert new is not None
        assert new.epoch > old.epoch
        assert await storage.leases.renew([old], 10) == {"s"}
        assert not await storage.leases.release(old)
        assert await storage.leases.live(["s"]) == {"s": new}


async def test_renewal_extends_and_tells_what_is_lost(timed: Place) -> None:
    async with timed.open() as storage:
        held = [await storage.leases.acquire(wanted(f"s{n}", "run", ttl_s=10)) for n in range(3)]
        leases = [lease for lease in held if lease is not None]
        assert len(leases) == 3
        await storage.leases.release(leases[1])
        timed.manual.advance(9)
        assert await storage.leases.renew(leases, 10) == {"s1"}
        timed.manual.advance(9)
        assert set(await storage.leases.live(["s0", "s1", "s2"])) == {"s0", "s2"}


async def test_an_expired_lease_that_nobody_took_is_renewed(timed: Place) -> None:
    async with timed.open() as storage:
        lease = await storage.leases.acquire(wanted("s", "run", ttl_s=10))
        assert lease is not None
        timed.manual.advance(60)
        assert await storage.leases.live(["s"]) == {}
        assert await storage.leases.renew([lease], 10) == frozenset()
        assert await storage.leases.live(["s"]) == {"s": lease}


async def test_a_released_session_is_free_at_once(place: Place) -> None:
    async with place.open() as storage:
        first = await storage.leases.acquire(wanted("s", "first"))
        assert first is not None
        assert await storage.leases.release(first)
        assert not await storage.leases.release(first)
        second = await storage.leases.acquire(wanted("s", "second"))
        assert second is not None
        assert second.epoch > first.epoch


async def test_epochs_rise_although_the_row_was_swept(timed: Place) -> None:
    async with timed.open() as storage:
        first = await storage.leases.acquire(wanted("s", "run", ttl_s=10))
        assert first is not None
        timed.manual.advance(3_600)
        assert await storage.leases.sweep() == 1
        second = await storage.leases.acquire(wanted("s", "run", ttl_s=10))
        assert second is not None
        assert second.epoch > first.epoch
        assert await storage.leases.renew([first], 10) == {"s"}


async def test_a_live_lease_is_never_swept(timed: Place) -> None:
    async with timed.open() as storage:
        lease = await storage.leases.acquire(wanted("s", "run", ttl_s=7_200))
        timed.manual.advance(3_600)
        assert await storage.leases.sweep() == 0
        assert await storage.leases.live(["s"]) == {"s": lease}


async def test_counting_and_taking_are_one_step(place: Place) -> None:
    """Lesson h: with a limit of 1, two passed."""
    async with place.open() as storage:
        for limit in (1, 3):
            got = await asyncio.gather(
                *(storage.counted_leases.acquire_counted(wanted(f"{limit}-{n}", "run"), limit) for n in range(8))
            )
            held = [lease for lease in got if isinstance(lease, Lease)]
            assert len(held) == limit
            assert all(refusal == Crowded(limit) for refusal in got if not isinstance(refusal, Lease))
            for lease in held:
                assert await storage.counted_leases.release_counted(lease)


async def test_the_counted_way_respects_a_held_session(place: Place) -> None:
    async with place.open() as storage:
        lease = await storage.leases.acquire(wanted("s", "run"))
        assert lease is not None
        assert await storage.counted_leases.acquire_counted(wanted("s", "other"), 10) is None
        assert await storage.counted_leases.release_counted(lease)
        again = await storage.counted_leases.acquire_counted(wanted("s", "other"), 10)
        assert isinstance(again, Lease)
        assert again.epoch > lease.epoch


async def test_shares_never_exceed_the_limit(place: Place) -> None:
    async with place.open() as storage:
        shares = await asyncio.gather(
            *(storage.shares.claim("p", f"instance{n}", wanted=4, keep=0, limit=10, ttl_s=30) for n in range(8))
        )
        assert sum(share.granted for share in shares) == 10
        again = await storage.shares.claim("p", "late", wanted=4, keep=0, limit=10, ttl_s=30)
        assert (again.granted, again.others) == (0, 10)
        assert again.waiting > 0


async def test_a_limit_of_one_goes_to_one_instance_and_moves_on(timed: Place) -> None:
    async with timed.open() as storage:
        first = await storage.shares.claim("p", "a", wanted=1, keep=0, limit=1, ttl_s=10)
        second = await storage.shares.claim("p", "b", wanted=1, keep=0, limit=1, ttl_s=10)
        assert (first.granted, second.granted) == (1, 0)
        await storage.shares.give_back("p", "a")
        assert (await storage.shares.claim("p", "b", wanted=1, keep=0, limit=1, ttl_s=10)).granted == 1
        timed.manual.advance(11)
        assert (await storage.shares.claim("p", "c", wanted=1, keep=0, limit=1, ttl_s=10)).granted == 1


async def test_a_share_keeps_what_is_in_use_when_the_limit_falls(place: Place) -> None:
    async with place.open() as storage:
        assert (await storage.shares.claim("p", "a", wanted=5, keep=0, limit=5, ttl_s=30)).granted == 5
        assert (await storage.shares.claim("p", "a", wanted=5, keep=3, limit=2, ttl_s=30)).granted == 3
        assert (await storage.shares.claim("p", "b", wanted=1, keep=0, limit=2, ttl_s=30)).granted == 0
