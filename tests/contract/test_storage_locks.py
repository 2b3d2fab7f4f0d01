"""PostgreSQL: batches that touch the same rows never wait for one another in a circle, and a fence still holds.

A circle is found by PostgreSQL after a second, in which everyone behind it stands still: `prove` S1 showed it as turns that
took 0.6 to 1.9 seconds longer, one in a hundred.
"""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from evenkeel.hotpath.ports.agent_tasks import Completion, Held, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import EventBatch, TaskFence
from evenkeel.kernel.metrics import Meters
from tests.queues import task
from tests.storages import Place

MANY = 40
ROUNDS = 30
AGAIN = "evenkeel_storage_transactions_again_total"


async def started(storage: Storage, names: list[str]) -> None:
    """Tasks at work, each in a session of its own name."""
    await storage.tasks.enqueue([task(name, session_id=name) for name in names])
    claimed = await storage.tasks.claim("w", MANY, 60.0)
    assert len(claimed) == len(names)


def times(meters: Meters) -> float:
    """How often a transaction had to run again."""
    return sum(
        sample.value for metric in meters.registry.collect() for sample in metric.samples if sample.name == AGAIN
    )


async def test_events_heartbeats_and_ends_never_wait_in_a_circle(postgres_dsn: str) -> None:
    meters, chance = Meters(), random.Random(1)
    names = [f"s{number}" for number in range(MANY)]
    async with Place(postgres_dsn, "optimised").open(meters) as storage:
        await started(storage, names)
        heads = {name: await storage.events.open(name, "u", fence=TaskFence(name, 1)) for name in names}

        def batches(turn: int, of: list[str]) -> list[EventBatch]:
            return [
                EventBatch(name, "u", heads[name].term, [at], [b"{}"], at, fence=TaskFence(name, 1))
                for name in chance.sample(of, len(of))
                for at in [heads[name].next_id + turn]
            ]

        async def say(of: list[str]) -> None:
            for turn in range(ROUNDS):
                await storage.events.append(batches(turn, of))

        async def beat() -> None:
            for _ in range(ROUNDS):
                await storage.tasks.heartbeat([Held(name, 1) for name in chance.sample(names, MANY)], 60.0)

        async with asyncio.timeout(15):
            await asyncio.gather(say(names[::2]), say(names[1::2]), beat(), beat())
            ends = [[Completion(name, 1, TaskStatus.SUCCESS) for name in chance.sample(names, MANY)] for _ in range(4)]
            await asyncio.gather(beat(), *map(storage.tasks.complete, ends))
    assert times(meters) == 0


async def test_an_attempt_cannot_end_while_its_events_are_being_stored(postgres_dsn: str) -> None:
    """The fence: what holds the attempt is held until the events are there."""
    async with Place(postgres_dsn, "optimised").open() as storage:
        await started(storage, ["s"])
        storing = await asyncpg.connect(postgres_dsn)
        try:
            async with storing.transaction():
                await storing.fetch("SELECT FROM agent_tasks WHERE task_id = 's' FOR KEY SHARE")
                assert (await storage.tasks.heartbeat([Held("s", 1)], 60.0)) is not None  # does not wait
                ending = asyncio.create_task(storage.tasks.complete([Completion("s", 1, TaskStatus.SUCCESS)]))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await asyncio.shield(ending)
            assert not (await ending).fenced
        finally:
            await storing.close()
