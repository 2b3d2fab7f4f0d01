"""Job events: one LISTEN connection a process, handed on to whoever watches a job.

The trigger of migration 0002 notifies the channel `job_events` on every UPDATE of `jobs`. PostgreSQL delivers a
notification when the transaction that sent it commits, never before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

CHANNEL = "job_events"
QUEUE_SIZE = 100
FINAL = frozenset({"done", "failed"})


class JobEvents:
    """Subscriptions by job id; a watcher that falls behind loses the oldest events, as each holds the whole state."""

    def __init__(self) -> None:
        self._watchers: dict[int, set[asyncio.Queue[dict[str, Any]]]] = {}

    @asynccontextmanager
    async def listening(self, database_url: str) -> AsyncIterator[None]:
        dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn)
        try:
            await connection.add_listener(CHANNEL, self._dispatch)
            yield
        finally:
            await connection.close()

    @asynccontextmanager
    async def watch(self, job_id: int) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE_SIZE)
        watchers = self._watchers.setdefault(job_id, set())
        watchers.add(queue)
        try:
            yield queue
        finally:
            watchers.discard(queue)
            if not watchers:
                self._watchers.pop(job_id, None)

    def _dispatch(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        event = json.loads(str(payload))
        for queue in self._watchers.get(event["id"], ()):
            if queue.full():
                with suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
            queue.put_nowait(event)


job_events = JobEvents()
