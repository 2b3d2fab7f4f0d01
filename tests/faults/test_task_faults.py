"""Workers that are killed, paused or cut off: no task is lost, none has two accepted outcomes or two effects."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from evenkeel.hotpath.ports.agent_tasks import TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import Cursor
from evenkeel.hotpath.ports.task_queue import QueueRules
from evenkeel.kernel.errors import UnavailableError
from tests.faults.queue_child import DONE, quick
from tests.postgres import Cluster
from tests.queues import FINISHED, running, sample, task
from tests.storages import Place

CHILD = Path(__file__).with_name("queue_child.py")
Process = asyncio.subprocess.Process


@asynccontextmanager
async def worker(what: str, place: Place, lease_s: float) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), what, place.dsn, place.profile, str(lease_s),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until(process: Process, word: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith(word):
        raw = await process.stdout.readline()
        assert raw, f"the worker ended before it said {word!r}: {lines}"
        lines.append(raw.decode().strip())
    return lines


async def finished(storage: Storage, count: int) -> dict[str, TaskStatus]:
    while True:
        statuses = {each.task_id: each.status for each in await storage.tasks.of_session("s", 1000)}
        if len(statuses) == count and set(statuses.values()) <= FINISHED:
            return statuses
        await asyncio.sleep(0.05)


async def effects(storage: Storage, task_id: str) -> list[bytes]:
    page = await storage.events.read(Cursor(f"session-{task_id}", 0))
    return [each.payload for each in page.events]


@pytest.mark.timeout(60)
async def test_workers_killed_at_random_points(database: Place) -> None:
    """Lesson r: kill -9, four times; what they held runs again elsewhere, and every effect happens once."""
    names = [f"t{n}" for n in range(120)]
    chance = random.Random(7)
    async with running(database, lease_s=1.0) as one:
        await one.queue.submit(*(task(name, max_attempts=20) for name in names))
        for _ in range(4):
            async with worker("quick", database, 1.0) as process:
                await lines_until(process, "start")
                await asyncio.sleep(chance.uniform(0.0, 0.08))
                process.kill()
    async with running(database, lease_s=1.0) as one:
        serving = asyncio.create_task(one.queue.serve(quick(one.storage)))
        assert set((await finished(one.storage, len(names))).values()) == {TaskStatus.SUCCESS}
        for name in names:
            assert await effects(one.storage, name) == [DONE]
        records = await one.storage.tasks.of_session("s", 1000)
        assert max(each.attempt for each in records) > 1  # else no kill hit anything
    await serving


@pytest.mark.timeout(60)
async def test_work_of_a_killed_worker_is_resumed_within_fifteen_seconds(database: Place) -> None:
    """With the rules that ship: the time-out is the promise."""
    rules = QueueRules()
    assert rules.lease_s + 2 * rules.upkeep_s < 15
    async with running(database) as one:
        await one.queue.submit(task("t"))
        async with worker("zombie", database, rules.lease_s) as process:
            await lines_until(process, "start t 1")
            process.kill()
    async with running(database, lease_s=rules.lease_s, poll_s=rules.poll_s, upkeep_s=rules.upkeep_s) as one:
        async with asyncio.timeout(15):
            serving = asyncio.create_task(one.queue.serve(quick(one.storage)))
            assert await finished(one.storage, 1) == {"t": TaskStatus.SUCCESS}
    await serving


@pytest.mark.timeout(60)
async def test_a_worker_that_was_paused_past_its_lease(database: Place) -> None:
    """SIGSTOP, another worker finishes, SIGCONT: the work is cancelled, what it writes all the same is rejected."""
    async with running(database, lease_s=0.6, stall_s=5.0) as one, worker("zombie", database, 0.6) as process:
        await one.queue.submit(task("t"))
        await lines_until(process, "start t 1")
        process.send_signal(signal.SIGSTOP)
        serving = asyncio.create_task(one.queue.serve(quick(one.storage)))
        assert await finished(one.storage, 1) == {"t": TaskStatus.SUCCESS}
        process.send_signal(signal.SIGCONT)
        assert (await lines_until(process, "told"))[-1] == "told lost"
        assert (await lines_until(process, "fenced"))[-1] == "fenced"
        assert process.stdin is not None
        process.stdin.write(b"\n")
        counted = (await lines_until(process, "counted"))[-1]
        assert int(counted.split()[1]) >= 2  # the event, and the heartbeat or the outcome
        assert await effects(one.storage, "t") == [DONE]
        assert one.queue.state().fenced == 0
    await serving


async def through(place: Place, trouble: Callable[[int], Awaitable[None]]) -> None:
    """Two instances work while the trouble happens, again and again."""
    names = [f"t{n}" for n in range(90)]
    async with running(place, lease_s=2.0) as one, running(place, lease_s=2.0) as two:
        serving = [asyncio.create_task(each.queue.serve(quick(each.storage))) for each in (one, two)]
        for turn in range(3):
            part = names[turn * 30 : turn * 30 + 30]
            await submitted(lambda part=part: one.queue.submit(*(task(name, max_attempts=50) for name in part)))  # type: ignore[misc]
            await asyncio.sleep(0.01)
            await trouble(turn)
        while True:
            try:
                assert set((await finished(two.storage, len(names))).values()) == {TaskStatus.SUCCESS}
                break
            except UnavailableError:
                continue
        for name in names:
            assert await effects(two.storage, name) == [DONE]
        errors = [sample(each.meters, "evenkeel_storage_errors_total") for each in (one, two)]
        assert sum(errors) > 0  # else there was no trouble
    await asyncio.gather(*serving)


async def submitted(submit: Callable[[], Awaitable[int]]) -> None:
    """Submitting is repeatable: an unknown outcome is sent again."""
    while True:
        try:
            await submit()
        except UnavailableError:
            await asyncio.sleep(0.02)
        else:
            return


@pytest.mark.timeout(60)
async def test_connections_cut_under_a_working_queue(postgres_dsn: str) -> None:
    async def cut(_turn: int) -> None:
        connection = await asyncpg.connect(postgres_dsn)
        try:
            for _ in range(5):
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await asyncio.sleep(0.01)
        finally:
            await connection.close()

    await through(Place(postgres_dsn, "optimised"), cut)


@pytest.mark.timeout(60)
async def test_a_server_that_restarts_under_a_working_queue(postgres_cluster: Cluster) -> None:
    async def crash(turn: int) -> None:
        if turn == 1:
            await asyncio.to_thread(postgres_cluster.stop, "immediate")
            await asyncio.to_thread(postgres_cluster.start)

    await through(Place(postgres_cluster.dsn, "optimised"), crash)
