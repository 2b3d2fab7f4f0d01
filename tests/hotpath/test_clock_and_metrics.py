"""The clock that tests set, and the names of metrics."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.kernel.background import background
from evenkeel.kernel.clock import ManualClock, SystemClock
from evenkeel.kernel.errors import InternalError
from evenkeel.kernel.metrics import Meters, named


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock = ManualClock()
    woken: list[int] = []

    async def sleep(number: int, delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append(number)

    tasks = [asyncio.ensure_future(sleep(n, delay)) for n, delay in enumerate([30.0, 10.0, 20.0, 0.0])]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (woken, clock.sleepers) == ([3], 3)
    clock.advance(25)
    await asyncio.sleep(0)
    assert woken == [3, 1, 2]
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert clock.sleepers == 0


def test_the_wall_clock_jumps_and_the_other_does_not() -> None:
    clock = ManualClock()
    before = clock.monotonic_s()
    clock.jump(5.0)
    assert (clock.wall_s(), clock.monotonic_s()) == (5.0, before)
    clock.advance(1.0)
    assert (clock.wall_s(), clock.monotonic_s()) == (6.0, before + 1.0)


def test_the_system_clock_goes_forward() -> None:
    clock = SystemClock()
    assert clock.monotonic_s() <= clock.monotonic_s()
    assert clock.wall_s() > 1_700_000_000


def test_both_paths_share_a_series() -> None:
    meters = Meters()
    for path in ("optimised", "rollback"):
        meters.counter("room", "things", "Things.", ["kind"]).labels(path, "x").inc(2)
        meters.gauge("room", "queue", "items", "Queue.").labels(path).set(3)
        meters.histogram("room", "call", "seconds", "Calls.").labels(path).observe(0.002)
    value = meters.registry.get_sample_value
    assert value("evenkeel_room_things_total", {"path": "rollback", "kind": "x"}) == 2
    assert value("evenkeel_room_queue_items", {"path": "optimised"}) == 3
    assert value("evenkeel_room_call_seconds_bucket", {"path": "optimised", "le": "0.0025"}) == 1


def test_two_processes_of_a_test_share_nothing() -> None:
    Meters().counter("room", "things", "Things.")
    Meters().counter("room", "things", "Things.")


@pytest.mark.parametrize("parts", [("Room", "x"), ("room", "x y"), ("room",), ("room", "x", "ms"), ("1", "x")])
def test_a_name_outside_the_rule_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(InternalError) as raised:
        named(*parts, *[""] * (2 - len(parts)))
    assert "evenkeel_<room>_<thing>_<unit>" in raised.value.hint


def test_one_name_has_one_kind() -> None:
    meters = Meters()
    meters.gauge("room", "x", "items", "X.")
    with pytest.raises(InternalError):
        meters.histogram("room", "x", "items", "X.")


async def test_background_work_ends_with_its_owner_and_its_failure_is_not_lost() -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["message"]))

    async def forever() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise ValueError("broken")

    async with background(forever(), "forever") as task:
        assert not task.done()
    assert task.cancelled()

    async def body() -> None:
        async with background(fail(), "fail"):
            await asyncio.sleep(0.01)
            assert reported == ["Background work fail failed."]

    with pytest.raises(ValueError, match="broken"):
        await body()
