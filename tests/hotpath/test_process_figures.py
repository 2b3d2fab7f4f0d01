"""What the process tells about itself."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.process import PATH, watched_process


def value(meters: Meters, name: str, **labels: str) -> float:
    return meters.registry.get_sample_value(f"evenkeel_process_{name}", {"path": PATH, **labels}) or 0.0


async def test_threads_tasks_memory_and_descriptors_are_counted() -> None:
    meters = Meters()
    idle = [asyncio.create_task(asyncio.sleep(3_600)) for _ in range(5)]
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    async with watched_process(meters, lag_every_s=0.01) as meter:
        await meter.sample()
        assert value(meters, "tasks_items") >= 5 + 1
        assert value(meters, "threads_items") >= 1 + 3
        if sys.platform == "linux":
            assert value(meters, "resident_bytes") > 10_000_000

            async def descriptors() -> float:
                """The fewest of some looks: another look that is under way has one of its own open."""
                seen = []
                for _ in range(10):
                    await meter.sample()
                    seen.append(value(meters, "descriptors_items"))
                return min(seen)

            before = await descriptors()
            with open("/dev/null"):  # noqa: ASYNC230, PTH123
                assert await descriptors() == before + 1
    stop.set()
    for each in idle:
        each.cancel()
    await asyncio.wait(idle)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is read")
async def test_the_lag_is_how_late_the_loop_is() -> None:
    meters, clock = Meters(), ManualClock()
    async with watched_process(meters, lag_every_s=1.0, clock=clock):
        while not clock.sleepers:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        clock.advance(1.3)
        while value(meters, "lag_seconds_count") < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert value(meters, "lag_seconds_sum") == pytest.approx(0.3)
        assert value(meters, "lag_seconds_bucket", le="0.25") == 0
        assert value(meters, "lag_seconds_bucket", le="0.5") == 1


async def test_nothing_is_left_running() -> None:
    before = asyncio.all_tasks()
    async with watched_process(Meters()):
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before
