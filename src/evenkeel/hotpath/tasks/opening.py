"""What the claiming queue lives on, started and stopped in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.wakeups import Channel
from evenkeel.hotpath.tasks.claiming import ClaimingQueue
from evenkeel.hotpath.tasks.heartbeat import HeartbeatThread
from evenkeel.kernel.background import background


@asynccontextmanager
async def open_claiming(queue: ClaimingQueue, heartbeat: HeartbeatThread, storage: Storage) -> AsyncIterator[None]:
    """Start what the queue lives on, stop it in order: claims first, heartbeats last."""
    stop_listening = (
        storage.wakeups.listen(Channel.TASKS, queue.heard),
        storage.wakeups.listen(Channel.CANCEL, queue.heard_cancel),
    )
    await heartbeat.start()
    try:
        async with (
            background(queue.settler.run(), "evenkeel-task-settler") as settling,
            background(queue.claim_loop(), "evenkeel-task-claims") as claiming,
        ):
            settling.add_done_callback(queue.ended)
            claiming.add_done_callback(queue.ended)
            try:
                yield
            finally:
                await queue.aclose(claiming)
    finally:
        for stop in stop_listening:
            stop()
        await heartbeat.stop()
