"""Bounds: a gate that loses no place, and checks that refuse what cannot be stored."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.hotpath.ports.errors import OversizedError, SaturatedError, UnencodableError
from evenkeel.hotpath.storage.checks import check_payloads, check_text, distinct, shortened
from evenkeel.hotpath.storage.gates import Gate


async def test_no_more_than_the_bound_are_in_and_none_is_lost() -> None:
    gate = Gate("x", 3, wait_s=5)
    inside = highest = 0

    async def visit(number: int) -> None:
        nonlocal inside, highest
        await gate.enter()
        inside += 1
        highest = max(highest, inside)
        await asyncio.sleep(0.0001 * (number % 3))
        inside -= 1
        gate.leave()

    await asyncio.gather(*(visit(n) for n in range(100)))
    assert (highest, gate.inside) == (3, 0)


async def test_places_survive_callers_that_give_up_at_any_moment() -> None:
    chance = random.Random(7)
    gate = Gate("x", 2, wait_s=0.003)

    async def visit() -> None:
        await gate.enter()
        try:
            await asyncio.sleep(chance.random() * 0.002)
        finally:
            gate.leave()

    tasks = [asyncio.ensure_future(visit()) for _ in range(300)]
    for task in chance.sample(tasks, 100):
        await asyncio.sleep(chance.random() * 0.0003)
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = {type(answer) for answer in answers}
    assert kinds <= {type(None), asyncio.CancelledError, SaturatedError}
    await asyncio.sleep(0)
    assert gate.inside == 0
    await gate.enter()
    await gate.enter()
    assert gate.inside == 2


async def test_a_line_has_a_bound_too() -> None:
    gate = Gate("x", 1, wait_s=5, line=1)
    await gate.enter()
    waiting = asyncio.ensure_future(gate.enter())
    await asyncio.sleep(0)
    with pytest.raises(SaturatedError):
        await gate.enter()
    gate.leave()
    await waiting
    assert gate.inside == 1


async def test_a_gate_serves_several_event_loops() -> None:
    gate = Gate("x", 2, wait_s=5)
    visits: list[int] = []

    async def visit(number: int) -> None:
        for _ in range(50):
            await gate.enter()
            visits.append(number)
            await asyncio.sleep(0)
            gate.leave()

    threads = [threading.Thread(target=lambda n=n: asyncio.run(visit(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    await visit(9)
    await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    assert (len(visits), gate.inside) == (200, 0)


@given(st.text(alphabet=st.characters(codec=None), max_size=40), st.integers(0, 60))
def test_text_is_taken_exactly_when_a_column_can_keep_it(text: str, bound: int) -> None:
    try:
        size = len(text.encode())
        storable = "\0" not in text
    except UnicodeEncodeError:
        size, storable = 0, False
    if storable and size <= bound:
        check_text("x", text, bound)
        return
    with pytest.raises((UnencodableError, OversizedError)) as raised:
        check_text("x", text, bound)
    assert isinstance(raised.value, OversizedError) == storable
    assert raised.value.hint


@given(st.text(alphabet=st.characters(codec=None)))
def test_an_error_text_can_always_be_stored(text: str) -> None:
    check_text("x", shortened(text), 8_000)


def test_payloads_are_measured_all() -> None:
    check_payloads("x", [], 0)
    check_payloads("x", [b"12", b"123"], 3)
    with pytest.raises(OversizedError):
        check_payloads("x", [b"1234", b"1"], 3)


def test_distinct_keeps_the_first_order_and_drops_nothing_else() -> None:
    assert distinct(["b", "", "a", "b"]) == ["b", "a"]
