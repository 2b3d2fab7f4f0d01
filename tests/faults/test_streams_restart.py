"""PostgreSQL is restarted under the event writer: nothing acknowledged is lost, and order and identity hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from evenkeel.hotpath.ports.stream_events import Cursor
from tests.postgres import Cluster
from tests.storages import Place
from tests.streams import EAGER, FINAL, SWEPT, delta, finished, instance, read_until


@pytest.mark.timeout(90)
async def test_a_restart_under_load_loses_nothing(postgres_cluster: Cluster) -> None:
    place = Place(postgres_cluster.dsn, "optimised")
    rules = replace(EAGER, flush_s=40.0, room_s=40.0, drain_s=40.0)
    async with instance(place, bus_rules=SWEPT, writer_rules=rules) as here:
        reader = await here.bus.subscribe(Cursor("s", 0), "s")
        reading = asyncio.create_task(read_until(reader, finished))
        run = await here.writer.begin("s", "user")
        crash = asyncio.create_task(restart(postgres_cluster))
        texts = [f"{number} " for number in range(300)]
        for text in texts:
            await run.emit(delta(text))
            await asyncio.sleep(0.002)
        await crash
        await run.emit(FINAL)
        assert (await reading).text() == "".join(texts)
        assert here.count("evenkeel_writes_retries_total") > 0
    async with instance(place, bus_rules=SWEPT) as later:
        reader = await later.bus.subscribe(Cursor("s", 0), "s")
        seen = await read_until(reader, finished)
        assert seen.text() == "".join(texts)
        assert seen.ids == sorted(set(seen.ids))
        assert seen.ids[-1] == len(texts) + 1
        assert seen.lost == []


async def restart(cluster: Cluster) -> None:
    await asyncio.sleep(0.1)
    await asyncio.to_thread(cluster.stop, "immediate")
    await asyncio.sleep(0.2)
    await asyncio.to_thread(cluster.start)
