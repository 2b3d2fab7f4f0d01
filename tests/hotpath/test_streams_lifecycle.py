"""Events and writes beside each other on both paths, and what closing them leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from evenkeel.hotpath.events import build_bus, live_evidence
from evenkeel.hotpath.ports.bus import Delivery, Subscription
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.writes import build_event_writer
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path as Way
from tests.storages import Place
from tests.streams import EAGER, QUIET, finished, instance, read_until, say


async def test_a_percentage_of_sessions_takes_each_path(tmp_path: Path) -> None:
    switches, meters = read_switches("optimised", {"events": "50%", "writes": "50%"}), Meters()
    async with Place(f"sqlite:///{tmp_path / 'split.db'}", "optimised").open() as storage:
        events, wakeups, active = storage.events, storage.wakeups, live_evidence(storage.leases, storage.tasks)
        async with (
            build_bus(QUIET, switches, meters, events=events, wakeups=wakeups, active=active) as bus,
            build_event_writer(EAGER, switches, meters, events=events, bus=bus, wakeups=wakeups) as writer,
        ):
            names = [f"session-{number}" for number in range(12)]
            for name in names:
                reader = await bus.subscribe(Cursor(name, 0), name)
                await say(await writer.begin(name, "user"), "a", "b")
                seen = await read_until(reader, finished)
                assert (seen.text(), seen.kinds[-1]) == ("ab", "final")
                await reader.aclose()
    for switch, metric in (("writes", "evenkeel_writes_runs_total"), ("events", "evenkeel_events_flushes_total")):
        for way in Way:
            count = meters.registry.get_sample_value(metric, {"path": way.value})
            assert count is not None
            assert count >= sum(switches.choice(switch).path_for(name) is way for name in names) > 0


async def test_closing_the_bus_ends_its_readers(tmp_path: Path) -> None:
    for profile in ("optimised", "rollback"):
        async with instance(Place(f"sqlite:///{tmp_path / 'closing.db'}", profile)) as here:
            heard: asyncio.Queue[Delivery] = asyncio.Queue()
            readers = [await here.bus.subscribe(None, "s") for _ in range(3)]
            watching = [asyncio.create_task(everything(reader, heard)) for reader in readers]
            for _ in readers:
                await heard.get()  # that it was settled
        assert await asyncio.gather(*watching) == [1, 1, 1]


async def everything(reader: Subscription, heard: asyncio.Queue[Delivery]) -> int:
    count = 0
    async for delivery in reader:
        count += 1
        heard.put_nowait(delivery)
    return count


async def test_nothing_is_left_running(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with instance(Place(f"sqlite:///{tmp_path / 'left.db'}", "optimised")) as here:
        for number in range(200):
            run = await here.writer.begin(f"s{number}", "user")
            reader = await here.bus.subscribe(None, f"s{number}")
            await say(run, "x")
            await reader.aclose()
        assert here.writer.level().sessions == 0
        assert here.count("evenkeel_events_readers_items") == 0
    assert asyncio.all_tasks() == before
