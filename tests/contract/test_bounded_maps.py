"""Maps with a cap: nothing in the process grows without a name, and the report says which is the largest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from evenkeel.hotpath.bounded import BoundedMaps, MapRules, build_bounded
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.errors import ConfigurationError, InternalError
from evenkeel.kernel.metrics import Meters
from tests.queues import sample


@pytest.fixture(params=["optimised", "rollback"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def opened(
    profile: str = "optimised", clock: ManualClock | None = None, meters: Meters | None = None
) -> AsyncIterator[BoundedMaps]:
    async with build_bounded(read_switches(profile), meters or Meters(), every_s=10.0, clock=clock) as maps:
        yield maps


async def test_a_map_is_a_map(profile: str) -> None:
    async with opened(profile) as maps:
        made = maps.map(MapRules[str, int]("sessions", 10))
        made["a"] = 1
        made["b"] = 2
        made["a"] = 3
        assert (dict(made), len(made), made.get("c"), "a" in made, made.pop("a")) == (
            {"a": 3, "b": 2}, 2, None, True, 3,
        )  # fmt: skip
        assert made.setdefault("b", 9) == 2
        del made["b"]
        with pytest.raises(KeyError):
            _ = made["b"]


async def test_a_name_is_used_once_and_rules_make_sense(profile: str) -> None:
    async with opened(profile) as maps, opened(profile) as others:
        maps.map(MapRules[str, int]("x", 10))
        others.map(MapRules[str, int]("x", 10))  # nothing is global
        with pytest.raises(InternalError, match="exists"):
            maps.map(MapRules[str, int]("x", 10))
        with pytest.raises(InternalError, match="exists"):
            maps.locks("x")
        for wrong in (MapRules[str, int]("y", 0), MapRules[str, int]("y", 1, ttl_s=0.0)):
            with pytest.raises(ConfigurationError):
                maps.map(wrong)
        with pytest.raises(ConfigurationError):
            maps.locks("z", stripes=0)


async def test_the_report_lists_the_largest_on_both_paths(profile: str) -> None:
    meters = Meters()
    async with opened(profile, meters=meters) as maps:
        for name, count in (("small", 1), ("large", 50), ("middle", 7)):
            filled = maps.map(MapRules[int, str](name, 100))
            filled.update((n, "x" * 1000) for n in range(count))
        maps.locks("locks", stripes=3)
        report = maps.report(2)
        assert [(line.name, line.entries, line.capacity) for line in report] == [("large", 50, 100), ("middle", 7, 100)]
        assert 50_000 < report[0].approx_bytes < 100_000
        assert sample(meters, "evenkeel_bounded_entries_items", path=profile, map="large") == 50
        assert sample(meters, "evenkeel_bounded_approx_bytes", path=profile, map="large") == report[0].approx_bytes


async def test_locks_exclude(profile: str) -> None:
    inside = most = 0

    async def work(key: str) -> None:
        nonlocal inside, most
        async with table.of(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with opened(profile) as maps:
        table = maps.locks("sessions", stripes=16)
        await asyncio.gather(*(work("same") for _ in range(20)))
        assert most == 1
        assert table.of("a") is table.of("a")


async def test_over_the_capacity_the_least_recently_used_goes() -> None:
    gone: list[tuple[str, int]] = []
    async with opened() as maps:
        made = maps.map(MapRules[str, int]("x", 2, on_evict=lambda key, value: gone.append((key, value))))
        made["a"], made["b"] = 1, 2
        assert made["a"] == 1
        made["c"] = 3
        assert (dict(made), gone) == ({"a": 1, "c": 3}, [("b", 2)])
        del made["a"]
        assert gone == [("b", 2)]  # only what was dropped, not what its user removed
        assert maps.report()[0].evicted == 1


async def test_what_has_aged_is_gone_and_its_memory_too() -> None:
    """Also a map that nobody writes to is cleaned, by the janitor."""
    clock, gone = ManualClock(), list[str]()
    async with opened(clock=clock) as maps:
        made = maps.map(MapRules[str, int]("x", 100, ttl_s=5.0, on_evict=lambda key, _value: gone.append(key)))
        made["old"] = 1
        clock.advance(4)
        assert made["old"] == 1
        made["new"] = 2
        clock.advance(1)
        assert ("old" in made, "new" in made) == (False, True)
        await asyncio.sleep(0)
        clock.advance(100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sorted(gone) == ["new", "old"]
        assert maps.report()[0].entries == 0


async def test_a_listener_that_fails_stops_no_janitor() -> None:
    def fail(_key: str, _value: int) -> None:
        raise ValueError("listener")

    clock = ManualClock()
    async with opened(clock=clock) as maps:
        bad = maps.map(MapRules("bad", 10, ttl_s=1.0, on_evict=fail))
        good = maps.map(MapRules[str, int]("good", 10, ttl_s=1.0))
        bad["x"] = good["x"] = 1
        await asyncio.sleep(0)
        clock.advance(100)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert {line.name: line.entries for line in maps.report()} == {"bad": 0, "good": 0}


async def test_a_million_sessions_leave_no_growth() -> None:
    async with opened() as maps:
        made = maps.map(MapRules[int, int]("sessions", 1_000))
        locks = maps.locks("session locks", stripes=64)
        for n in range(0, 1_000_000, 10):
            made[n] = n
            locks.of(str(n))
        assert {line.name: line.entries for line in maps.report()} == {"sessions": 1_000, "session locks": 64}


async def test_the_old_way_grows_and_the_report_shows_it() -> None:
    async with opened("rollback") as maps:
        made = maps.map(MapRules[int, int]("sessions", 10))
        locks = maps.locks("locks", stripes=4)
        for n in range(100):
            made[n] = n
            locks.of(str(n))
        assert {line.name: line.entries for line in maps.report()} == {"sessions": 100, "locks": 100}
