"""`/health/live`, `/health/ready`, `/metrics`: is the process there, can it work, how much does it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from evenkeel import __version__
from evenkeel.hotpath.ports.storage import StorageHealth
from evenkeel.hotpath.ports.task_queue import QueueState
from evenkeel.hotpath.switches import rendered
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.metrics import TEXT_FORMAT
from evenkeel.serve.api.desk import Desk

LOOKED_S = 1.0  # whoever asks more often gets the last answer: health must not become load
Queue = Callable[[], QueueState | None]
Gather = Callable[[bytes], Awaitable[bytes]]


class Health:
    """What `/health/ready` answers."""

    def __init__(self, desk: Desk, queue: Queue) -> None:
        self._desk = desk
        self._queue = queue
        self._storage: StorageHealth | None = None
        self._waiting = 0
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def report(self) -> tuple[bool, dict[str, object]]:
        """Whether this process takes work, and why (not)."""
        desk = self._desk
        storage = await self._look()
        queue = self._queue()
        draining = desk.streams.draining
        ready = storage.reachable and not draining and queue is not None
        return ready, {
            "status": "ready" if ready else "draining" if draining else "not ready",
            "version": __version__,
            "instance": desk.parts.instance,
            **rendered(desk.parts.switches),
            "storage": dataclasses.asdict(storage),
            "limiter": dataclasses.asdict(desk.parts.limiter.occupancy()),
            "queue": {
                "waiting": self._waiting,
                "running": queue.running if queue else 0,
                "free": queue.free if queue else 0,
                "wakeups": queue.mode.value if queue else "closed",
                "fenced": queue.fenced if queue else 0,
            },
            "streams": len(desk.streams),
        }

    async def _look(self) -> StorageHealth:
        async with self._looking:
            now = self._desk.parts.clock.monotonic_s()
            if self._storage is None or now - self._looked_at >= LOOKED_S:
                self._storage = await self._desk.parts.storage.health()
                try:
                    self._waiting = (await self._desk.parts.storage.tasks.depth()).waiting
                except EvenkeelError:
                    self._storage = dataclasses.replace(self._storage, reachable=False)
                self._looked_at = now
            return self._storage


def health_routes(desk: Desk, queue: Queue, gather: Gather | None) -> APIRouter:
    """`gather` adds the metrics of this host's other processes to this one's; None = there are no others."""
    router = APIRouter(tags=["operations"])
    health = Health(desk, queue)

    @router.get("/health/live", summary="The process answers")
    async def live() -> dict[str, object]:
        return {"status": "live", "version": __version__}

    @router.get("/health/ready", summary="The process takes work")
    async def ready() -> Response:
        is_ready, report = await health.report()
        return JSONResponse(report, 200 if is_ready else 503)

    @router.get("/metrics", summary="Figures, for Prometheus", response_class=Response)
    async def metrics(process: Annotated[str, Query(max_length=16)] = "") -> Response:
        text = await asyncio.to_thread(desk.parts.meters.text)
        if gather is not None and process != "own":
            text = await gather(text)
        return Response(text, media_type=TEXT_FORMAT)

    return router
