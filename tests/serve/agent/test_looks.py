"""A crowd's looks are a few looks, none of them older than who asked; one that fails fails for who asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from evenkeel.serve.agent.looks import Looks


async def test_a_crowd_costs_a_few_looks() -> None:
    seen: list[int] = []

    async def look(names: Sequence[str]) -> dict[str, str]:
        seen.append(len(names))
        await asyncio.sleep(0.001)
        return {name: name.upper() for name in names}

    looks = Looks(look)
    found = await asyncio.gather(*(looks.of([f"s{number}"]) for number in range(400)))
    assert [each[f"s{number}"] for number, each in enumerate(found)] == [f"S{number}" for number in range(400)]
    assert sum(seen) == 400
    assert len(seen) <= 2


async def test_a_look_begins_after_it_was_asked_for() -> None:
    now, begun = [0], asyncio.Event()

    async def look(names: Sequence[str]) -> dict[str, int]:
        value = now[0]
        begun.set()
        await asyncio.sleep(0.01)
        return dict.fromkeys(names, value)

    looks = Looks(look)
    first = asyncio.ensure_future(looks.of(["a"]))
    await begun.wait()
    now[0] = 1
    assert await looks.of(["a"]) == {"a": 1}
    assert await first == {"a": 0}


async def test_a_failed_look_is_raised_and_the_next_one_works() -> None:
    fails = [True]

    async def look(names: Sequence[str]) -> dict[str, int]:
        if fails.pop() if fails else False:
            raise ValueError("away")
        return dict.fromkeys(names, 1)

    looks = Looks(look)
    with pytest.raises(ValueError, match="away"):
        await looks.of(["a"])
    assert await looks.of(["a"]) == {"a": 1}


async def test_who_is_cancelled_leaves_the_others_waiting_in_peace() -> None:
    async def look(names: Sequence[str]) -> dict[str, int]:
        await asyncio.sleep(0.01)
        return dict.fromkeys(names, 1)

    looks = Looks(look)
    first, second = (asyncio.ensure_future(looks.of([name])) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"b": 1}


async def test_a_name_that_cannot_be_looked_for_harms_nobody_else() -> None:
    async def look(names: Sequence[str]) -> dict[str, int]:
        if "bad" in names:
            raise ValueError("bad")
        return dict.fromkeys(names, 1)

    looks = Looks(look)
    good, bad = await asyncio.gather(looks.of(["good"]), looks.of(["bad"]), return_exceptions=True)
    assert good == {"good": 1}
    assert isinstance(bad, ValueError)
