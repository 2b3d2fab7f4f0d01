"""The task queues that are compared: how each drains, and how soon each starts a job that was just enqueued."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import asyncpg

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, NewTask, TaskStatus
from evenkeel.hotpath.ports.task_queue import Outcome, QueueRules, TaskContext
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.kernel.metrics import Meters

DONE = Outcome(TaskStatus.SUCCESS)
PAUSE_S = 0.01
Drain = Callable[[str, int], Awaitable[float]]
"""DSN and number of jobs -> seconds."""
Delays = Callable[[str, int], Awaitable[list[float]]]
"""DSN and number of jobs -> seconds from enqueue to start, one a job."""


def evenkeel(profile: str, rules: QueueRules, *, across: bool = False) -> tuple[Drain, Delays]:
    """Our queue on one path; `across` = the submitter is another instance than the worker."""
    switches = read_switches("optimised", {"tasks": profile})

    async def drain(dsn: str, jobs: int) -> float:
        left, drained = jobs, asyncio.Event()

        async def noop(_task: ClaimedTask, _context: TaskContext) -> Outcome:
            nonlocal left
            left -= 1
            if left == 0:
                drained.set()
            return DONE

        async with build_storage(StorageSettings(dsn, janitor=None), switches, Meters()) as storage:
            mark = time.time_ns()
            for start in range(0, jobs, 1000):
                count = min(1000, jobs - start)
                await storage.tasks.enqueue([NewTask(f"{mark}-{start + n}", b"x") for n in range(count)])
            started = time.perf_counter()
            async with build_tasks(rules, switches, Meters(), storage) as queue:
                serving = asyncio.create_task(queue.serve(noop))
                await drained.wait()
            await serving  # closing has stored every outcome
            took = time.perf_counter() - started
            assert (await storage.tasks.depth()).running == 0
        return took

    async def delays(dsn: str, count: int) -> list[float]:
        seen: list[float] = []

        async def note(task: ClaimedTask, _context: TaskContext) -> Outcome:
            seen.append(time.perf_counter() - float(task.payload))
            return DONE

        settings = StorageSettings(dsn, janitor=None)
        async with (
            build_storage(settings, switches, Meters()) as storage,
            build_storage(settings, switches, Meters()) as other,
        ):
            async with (
                build_tasks(rules, switches, Meters(), storage) as queue,
                build_tasks(rules, switches, Meters(), other) as elsewhere,
            ):
                serving = asyncio.create_task(queue.serve(note))
                await asyncio.sleep(0.3)
                submit = elsewhere.submit if across else queue.submit
                for _ in range(count):
                    await submit(NewTask(f"d{time.time_ns()}", repr(time.perf_counter()).encode()))
                    await asyncio.sleep(PAUSE_S)
                while len(seen) < count:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await serving
        return seen

    return drain, delays


def pgqueuer(batch: int) -> tuple[Drain, Delays]:  # noqa: C901 two measurements, three closures
    """PgQueuer with a pool of connections."""
    library = import_module("pgqueuer")  # not a dependency
    drain_mode = import_module("pgqueuer.types").QueueExecutionMode.drain

    async def opened(dsn: str, run: Callable[[Any, Any], Awaitable[None]]) -> float:
        async with asyncpg.create_pool(dsn, min_size=2, max_size=8) as pool:
            async with pool.acquire() as connection:
                await library.Queries(library.AsyncpgDriver(connection)).install()
            driver = library.AsyncpgPoolDriver(pool)
            queue = library.PgQueuer(driver)
            started = time.perf_counter()
            await run(queue, library.Queries(driver))
            return time.perf_counter() - started

    async def drain(dsn: str, jobs: int) -> float:
        took = 0.0

        async def run(queue: Any, queries: Any) -> None:
            nonlocal took
            ran = 0

            @queue.entrypoint("noop")  # type: ignore[untyped-decorator]
            async def noop(_job: Any) -> None:
                nonlocal ran
                ran += 1

            for start in range(0, jobs, 1000):
                count = min(1000, jobs - start)
                await queries.enqueue(["noop"] * count, [b"x"] * count, [0] * count)
            started = time.perf_counter()
            await queue.run(mode=drain_mode, batch_size=batch)
            took = time.perf_counter() - started
            assert ran == jobs, ran

        await opened(dsn, run)
        return took

    async def delays(dsn: str, count: int) -> list[float]:
        seen: list[float] = []

        async def run(queue: Any, queries: Any) -> None:
            @queue.entrypoint("note")  # type: ignore[untyped-decorator]
            async def note(job: Any) -> None:
                seen.append(time.perf_counter() - float(job.payload))

            running = asyncio.create_task(queue.run(batch_size=10))
            await asyncio.sleep(0.5)
            for _ in range(count):
                await queries.enqueue("note", repr(time.perf_counter()).encode())
                await asyncio.sleep(PAUSE_S)
            while len(seen) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            queue.shutdown.set()
            await running

        await opened(dsn, run)
        return seen

    return drain, delays


def procrastinate() -> tuple[Drain, Delays]:
    """Procrastinate with 40 concurrent jobs."""
    library = import_module("procrastinate")  # not a dependency

    def app_of(dsn: str) -> Any:
        return library.App(connector=library.PsycopgConnector(conninfo=dsn, min_size=2, max_size=8))

    async def drain(dsn: str, jobs: int) -> float:
        app = app_of(dsn)
        ran = 0

        @app.task(name="noop")  # type: ignore[untyped-decorator]
        async def noop() -> None:
            nonlocal ran
            ran += 1

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            await noop.batch_defer_async(*({} for _ in range(jobs)))
            started = time.perf_counter()
            await app.run_worker_async(concurrency=40, wait=False, install_signal_handlers=False)
            took = time.perf_counter() - started
        assert ran == jobs, ran
        return took

    async def delays(dsn: str, count: int) -> list[float]:
        app = app_of(dsn)
        seen: list[float] = []

        @app.task(name="note")  # type: ignore[untyped-decorator]
        async def note(sent: float) -> None:
            seen.append(time.perf_counter() - sent)

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            running = asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False))
            await asyncio.sleep(0.5)
            for _ in range(count):
                await note.defer_async(sent=time.perf_counter())
                await asyncio.sleep(PAUSE_S)
            while len(seen) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
        return seen

    return drain, delays
