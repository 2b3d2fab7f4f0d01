"""A process that works on a storage until it is killed: `python child.py <what> <dsn> <profile>`; it tells on stdout."""

from __future__ import annotations

import asyncio
import sys

from evenkeel.hotpath.ports.agent_tasks import Completion, TaskStatus
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import RESERVE_AHEAD, EventBatch, TaskFence
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters


def tell(*words: object) -> None:
    """One line, at once: what was told was acknowledged."""
    print(*words, flush=True)


async def append_messages(storage: Storage) -> None:
    """Six writers; each number that is told was acknowledged by the storage."""

    async def write(writer: int) -> None:
        for number in range(100_000):
            key = f"{writer}-{number}"
            await storage.chat.append([ChatMessage("s", "u", "user", key, b"x" * 300, key=key)])
            tell(key)

    await asyncio.gather(*(write(writer) for writer in range(6)))


async def append_events(storage: Storage) -> None:
    """One writer of a session, in batches of 20; tells the last id that was acknowledged."""
    head = await storage.events.open("s", "u")
    tell("open", head.next_id)
    next_id, reserved_to = head.next_id, head.reserved_to
    while True:
        ids = range(next_id, next_id + 20)
        reserve = ids[-1] + RESERVE_AHEAD if ids[-1] > reserved_to - 1000 else None
        reserved_to = reserve or reserved_to
        payloads = [f"{head.term}:{event_id}".encode() for event_id in ids]
        done = await storage.events.append([EventBatch("s", "u", head.term, ids, payloads, ids[-1], reserve)])
        assert not done.fenced
        next_id = ids[-1] + 1
        tell(ids[-1])


async def run_tasks(storage: Storage) -> None:
    """A worker: claims three, tells, completes, tells."""
    while True:
        for claimed in await storage.tasks.claim("child", 3, 0.5):
            tell("claimed", claimed.task_id, claimed.attempt)
            settled = await storage.tasks.complete([Completion(claimed.task_id, claimed.attempt, TaskStatus.SUCCESS)])
            tell("completed" if settled.accepted else "fenced", claimed.task_id, claimed.attempt)
        await asyncio.sleep(0.001)


async def hold_task(storage: Storage) -> None:
    """Claims one task, opens its stream, waits for a line on stdin, then tries to write and to complete."""
    (claimed,) = await storage.tasks.claim("child", 1, 0.2)
    fence = TaskFence(claimed.task_id, claimed.attempt)
    head = await storage.events.open("s", "u", fence=fence)
    tell("claimed", claimed.task_id, claimed.attempt)
    await asyncio.to_thread(sys.stdin.readline)
    batch = EventBatch("s", "u", head.term, [head.next_id], [b"zombie"], head.next_id, fence=fence)
    appended = await storage.events.append([batch])
    settled = await storage.tasks.complete([Completion(claimed.task_id, claimed.attempt, TaskStatus.SUCCESS)])
    tell("fenced" if appended.fenced and settled.fenced else "accepted")


async def main(what: str, dsn: str, profile: str) -> None:
    works = {work.__name__: work for work in (append_messages, append_events, run_tasks, hold_task)}
    async with build_storage(StorageSettings(dsn, janitor=None), read_switches(profile), Meters()) as storage:
        await works[what](storage)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
