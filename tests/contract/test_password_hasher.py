"""Password hashing: correct on both paths, bounded on the optimised one, and limited before anything is hashed."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import argon2
import pytest

from evenkeel.hotpath.passwords import build_passwords
from evenkeel.hotpath.passwords.hashing import MAX_PASSWORD_BYTES, Hashing, build_hashing
from evenkeel.hotpath.passwords.limits import REMEMBERED, Limits, Rate
from evenkeel.hotpath.passwords.metering import build_meter
from evenkeel.hotpath.passwords.pooled import PooledHasher, open_pooled
from evenkeel.hotpath.ports.errors import QueueFullError, SaturatedError, TooManyAttemptsError, UnencodableError
from evenkeel.hotpath.ports.passwords import Attempt, HashRules, PasswordHasher, Verdict
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import ManualClock, SystemClock
from evenkeel.kernel.errors import ConfigurationError, TooLargeError, UsageError
from evenkeel.kernel.metrics import Meters
from tests.queues import sample, until

LIGHT = HashRules(memory_kib=64, time_cost=1, per_address=1000, per_account=1000, overall=10_000, max_wait_s=5.0)
ME = Attempt("192.0.2.1", "me")


@pytest.fixture(params=["optimised", "rollback"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def opened(
    profile: str, meters: Meters | None = None, clock: ManualClock | None = None, **rules: Any
) -> AsyncIterator[PasswordHasher]:
    async with build_passwords(
        replace(LIGHT, **rules), read_switches(profile), meters or Meters(), clock=clock
    ) as hasher:
        yield hasher


async def test_a_hash_is_checked_on_either_path(profile: str) -> None:
    async with opened(profile) as one, opened({"optimised": "rollback", "rollback": "optimised"}[profile]) as other:
        stored = await one.hash("pässword", ME)
        assert stored.startswith("$argon2id$")
        assert await one.hash("pässword", ME) != stored
        assert await other.verify("pässword", stored, ME) == Verdict(valid=True)
        assert await other.verify("password", stored, ME) == Verdict(valid=False)
        assert await other.verify("", stored, ME) == Verdict(valid=False)


async def test_an_unknown_user_costs_a_hash_and_is_never_valid(profile: str) -> None:
    meters = Meters()
    async with opened(profile, meters) as hasher:
        for password in ("", "x"):  # the empty one matches the dummy
            assert await hasher.verify(password, None, ME) == Verdict(valid=False)
    assert sample(meters, "evenkeel_passwords_checks_total", path=profile, result="invalid") == 2


async def test_old_parameters_are_replaced_at_login_and_only_then(profile: str) -> None:
    old = argon2.PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash("pw")
    async with opened(profile) as hasher:
        assert await hasher.verify("wrong", old, ME) == Verdict(valid=False)
        verdict = await hasher.verify("pw", old, ME)
        assert verdict.valid
        assert verdict.rehash is not None
        assert await hasher.verify("pw", verdict.rehash, ME) == Verdict(valid=True)


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=64,t=1000000,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=64,t=1,p=500$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$" + "x" * 10_000,
        "$2b$12$abcdefghijklmnopqrstuv",
        "",
        "plain",
    ],
)
async def test_a_stored_hash_cannot_ask_for_more_than_the_bounds(profile: str, stored: str) -> None:
    async with opened(profile) as hasher:
        assert await hasher.verify("pw", stored, ME) == Verdict(valid=False)
    assert not (await asyncio.to_thread(build_hashing, LIGHT)).is_computable(stored)


async def test_odd_passwords_are_refused_with_a_reason(profile: str) -> None:
    async with opened(profile) as hasher:
        with pytest.raises(UnencodableError):
            await hasher.hash("\ud800", ME)
        with pytest.raises(TooLargeError):
            await hasher.verify("x" * (MAX_PASSWORD_BYTES + 1), None, ME)


@pytest.mark.parametrize(
    ("rule", "same", "other"),
    [
        ("per_address", Attempt("192.0.2.1", "somebody"), Attempt("192.0.2.2", "me")),
        ("per_account", Attempt("192.0.2.9", " ME "), Attempt("192.0.2.1", "you")),
        ("overall", Attempt("192.0.2.9", "x"), None),
    ],
)
async def test_limits_hold_before_anything_is_hashed(
    profile: str, rule: str, same: Attempt, other: Attempt | None
) -> None:
    meters, clock = Meters(), ManualClock()
    async with opened(profile, meters, clock, **{rule: 3, "window_s": 60.0}) as hasher:
        for _ in range(3):
            await hasher.verify("x", None, ME)
        with pytest.raises(TooManyAttemptsError):
            hasher.check(same)
        with pytest.raises(TooManyAttemptsError) as raised:
            await hasher.verify("x", None, same)
        assert raised.value.retry_after_s == pytest.approx(20)
        assert sample(meters, "evenkeel_passwords_hash_seconds_count") == 3
        assert sample(meters, "evenkeel_passwords_refused_total", why="limit", path=profile) == 2
        if other is not None:
            for _ in range(5):
                hasher.check(other)  # counts nothing
            await hasher.verify("x", None, other)
        clock.advance(20.1)
        await hasher.verify("x", None, same)


def test_a_customer_s_ipv6_network_is_one_address() -> None:
    limits = Limits(replace(LIGHT, per_address=1), ManualClock())
    limits.count(Attempt("2001:470:1:1::1", "a"))
    with pytest.raises(TooManyAttemptsError):
        limits.count(Attempt("2001:470:1:1:ffff::2", "b"))
    limits.count(Attempt("2001:470:1:2::1", "c"))
    limits.count(Attempt("::ffff:192.0.2.1", "d"))
    with pytest.raises(TooManyAttemptsError):
        limits.count(Attempt("192.0.2.1", "e"))


def test_limits_take_a_bounded_amount_of_memory_and_forget_what_is_over() -> None:
    rate = Rate(10, 60.0)
    for n in range(REMEMBERED + 100):
        rate.take(str(n), 0.0)
    assert len(rate) == REMEMBERED
    rate.take("later", 1_000.0)
    assert len(rate) == 1


class SlowHashing(Hashing):
    """Hashes for real, but only when told to."""

    gate = threading.Event()

    def hash(self, password: bytes) -> str:
        assert self.gate.wait(15)
        return super().hash(password)


@asynccontextmanager
async def held_up(meters: Meters, **rules: Any) -> AsyncIterator[tuple[PooledHasher, threading.Event]]:
    settings = replace(LIGHT, **rules)
    real = await asyncio.to_thread(build_hashing, settings)
    SlowHashing.gate = gate = threading.Event()
    hashing = SlowHashing(real.rules, real.hasher, real.dummy)
    hasher = PooledHasher(hashing, settings, SystemClock(), build_meter(meters, "optimised"))
    async with open_pooled(hasher):
        try:
            yield hasher, gate
        finally:
            gate.set()


async def test_so_many_wait_and_the_next_is_told_when_to_come_back() -> None:
    """Also lesson m: the number of threads has a cap."""
    meters = Meters()
    async with held_up(meters, workers=1, max_waiting=2) as (hasher, gate):
        calls = [asyncio.create_task(hasher.hash("x", ME)) for _ in range(3)]
        await until(lambda: sample(meters, "evenkeel_passwords_waiting_items") == 2)
        with pytest.raises(QueueFullError) as raised:
            await hasher.hash("x", ME)
        assert raised.value.retry_after_s >= 1
        names = [each.name for each in threading.enumerate()]
        assert sum(name.startswith("evenkeel-password") for name in names) == 1
        assert sample(meters, "evenkeel_passwords_threads_items", state="busy") == 1
        assert sample(meters, "evenkeel_passwords_threads_items", state="all") == 1
        gate.set()
        assert len(set(await asyncio.gather(*calls))) == 3
        assert sample(meters, "evenkeel_passwords_threads_items", state="busy") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
async def test_hashing_yields_to_the_event_loop() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    meters, mine = Meters(), priority()
    rules = replace(LIGHT, niceness=5)
    hashing = await asyncio.to_thread(build_hashing, rules)
    hasher = PooledHasher(hashing, rules, SystemClock(), build_meter(meters, "optimised"))
    async with open_pooled(hasher):
        assert await hasher._in_pool(priority) == min(19, mine + 5)
    assert priority() == mine


async def test_who_waited_too_long_is_turned_away_and_leaves_nothing_behind() -> None:
    meters = Meters()
    async with held_up(meters, max_wait_s=0.2) as (hasher, gate):
        first = asyncio.create_task(hasher.hash("x", ME))
        await asyncio.sleep(0)
        with pytest.raises(SaturatedError):
            await hasher.hash("x", ME)
        assert sample(meters, "evenkeel_passwords_waiting_items") == 0
        gate.set()
        await first
        assert (await hasher.hash("x", ME)).startswith("$argon2id$")


async def test_the_breaker_opens_when_the_queue_grows_old() -> None:
    meters = Meters()
    async with held_up(meters, max_wait_s=0.6) as (hasher, gate):
        calls = [asyncio.create_task(hasher.hash("x", ME)) for _ in range(2)]
        await asyncio.sleep(0.4)
        with pytest.raises(SaturatedError):
            await hasher.hash("x", ME)
        assert sample(meters, "evenkeel_passwords_refused_total", why="breaker") == 1
        gate.set()
        await asyncio.wait(calls)
        assert (await hasher.hash("x", ME)).startswith("$argon2id$")


async def test_a_caller_that_goes_away_frees_no_thread_that_still_works() -> None:
    meters = Meters()
    async with held_up(meters, workers=1) as (hasher, gate):
        gone = asyncio.create_task(hasher.hash("x", ME))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.wait([gone])
        waits = asyncio.create_task(hasher.hash("x", ME))
        await until(lambda: sample(meters, "evenkeel_passwords_waiting_items") == 1)
        gate.set()
        assert (await waits).startswith("$argon2id$")
    with pytest.raises(UsageError, match="closed"):
        await hasher.hash("x", ME)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"per_account": 0}, {"memory_kib": 1}, {"memory_kib": 10**6}, {"time_cost": 11}]
)
async def test_rules_that_cannot_hold_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        async with opened("optimised", **wrong):
            pass
    assert raised.value.hint
