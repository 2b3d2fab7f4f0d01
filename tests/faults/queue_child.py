"""A worker process: `python queue_child.py <what> <dsn> <profile> <lease_s>`; it tells on stdout what it does."""

from __future__ import annotations

import asyncio
import sys

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import Cursor, EventBatch
from evenkeel.hotpath.ports.task_queue import Handler, Outcome, QueueRules, TaskContext
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.kernel.metrics import Meters

DONE = b"done"


def tell(*words: object) -> None:
    print(*words, flush=True)


async def take_effect(storage: Storage, claimed: ClaimedTask, context: TaskContext) -> bool:
    """The effect of a task: one `done` in a stream of its own. Opening fences whoever wrote there before, so what is
    read afterwards stays true; False = the fence refused the write.
    """
    session = f"session-{claimed.task_id}"
    head = await storage.events.open(session, "u", fence=context.fence)
    page = await storage.events.read(Cursor(session, 0))
    if any(each.payload == DONE for each in page.events):
        return True
    ids = [head.next_id]
    batch = EventBatch(session, "u", head.term, ids, [DONE], ids[0], closing=True, fence=context.fence)
    return not (await storage.events.append([batch])).fenced


def quick(storage: Storage) -> Handler:
    """Works a little before and after the effect, so that a kill finds it anywhere."""

    async def handler(claimed: ClaimedTask, context: TaskContext) -> Outcome:
        tell("start", claimed.task_id, claimed.attempt)
        await asyncio.sleep(0.003)
        taken = await take_effect(storage, claimed, context)
        await asyncio.sleep(0.003)
        return Outcome(TaskStatus.SUCCESS if taken else TaskStatus.RETRY)

    return handler


def zombie(storage: Storage) -> Handler:
    """Opens its stream, waits, and writes whatever it is told meanwhile."""

    async def handler(claimed: ClaimedTask, context: TaskContext) -> Outcome:
        session = f"session-{claimed.task_id}"
        head = await storage.events.open(session, "u", fence=context.fence)
        tell("start", claimed.task_id, claimed.attempt)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            tell("told", "lost" if context.lost else "cancelled")
        ids = [head.next_id]
        batch = EventBatch(session, "u", head.term, ids, [b"zombie"], ids[0], closing=True, fence=context.fence)
        appended = await storage.events.append([batch])
        tell("fenced" if appended.fenced else "accepted")
        return Outcome(TaskStatus.SUCCESS)

    return handler


async def main(what: str, dsn: str, profile: str, lease_s: str) -> None:
    rules = QueueRules(
        max_workers=4, lease_s=float(lease_s), poll_s=0.2, upkeep_s=0.2, prefetch=2, rollback_poll_s=0.05
    )
    meters = Meters()
    switches = read_switches(profile)
    handlers = {each.__name__: each for each in (quick, zombie)}
    async with build_storage(StorageSettings(dsn, janitor=None), switches, meters) as storage:
        async with build_tasks(rules, switches, meters, storage) as queue:
            serving = asyncio.create_task(queue.serve(handlers[what](storage)))
            await asyncio.to_thread(sys.stdin.readline)
            tell("queue", queue.state().fenced)
        await serving
    fenced = [each for metric in meters.registry.collect() for each in metric.samples if "fenced_total" in each.name]
    tell("counted", int(sum(each.value for each in fenced)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
