import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import asyncpg


class Tasks(Protocol):
    async def pending(self, limit: int) -> list[asyncpg.Record]: ...

    async def take_pending(self, limit: int) -> list[asyncpg.Record]: ...

    async def start(self, task_id: str) -> None: ...


class PostgresTasks:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def pending(self, limit: int) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT id FROM tasks WHERE status IN ('pending', 'retry') LIMIT $1", limit)

    async def take_pending(self, limit: int) -> list[asyncpg.Record]:
        return await self.pool.fetch(
            "UPDATE tasks SET status = 'running' WHERE id IN (SELECT id FROM tasks WHERE status = 'pending'"
            " LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id",
            limit,
        )

    async def start(self, task_id: str) -> None:
        await self.pool.execute("UPDATE tasks SET status = 'running' WHERE id = $1", task_id)


class Poller:
    """The rows are read in one place, and marked in another, by a task that is spawned for each."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self.running: set[asyncio.Task[None]] = set()

    async def look(self, handler: Callable[[str], Awaitable[None]]) -> None:
        for record in await self.tasks.pending(50):  # flagged
            self.running.add(asyncio.create_task(self._run(record["id"], handler)))

    async def look_and_take(self, handler: Callable[[str], Awaitable[None]]) -> None:
        for record in await self.tasks.take_pending(50):
            self.running.add(asyncio.create_task(self._run(record["id"], handler)))

    async def _run(self, task_id: str, handler: Callable[[str], Awaitable[None]]) -> None:
        await self.tasks.start(task_id)
        await handler(task_id)


class Serial:
    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks

    async def round(self, sender: Callable[[str], Awaitable[None]]) -> None:
        records = await self.tasks.pending(50)  # flagged
        for record in records:
            await self._send(record["id"], sender)

    async def _send(self, task_id: str, sender: Callable[[str], Awaitable[None]]) -> None:
        await sender(task_id)
        await self.tasks.start(task_id)
