"""Tasks to queue and claim, for the tests of agent tasks."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, NewTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage


def task(name: str, **more: object) -> NewTask:
    return NewTask(name, b"payload of " + name.encode(), **more)  # type: ignore[arg-type]


def done(claimed: ClaimedTask, status: TaskStatus = TaskStatus.SUCCESS, **more: object) -> Completion:
    return Completion(claimed.task_id, claimed.attempt, status, **more)  # type: ignore[arg-type]


def names(claimed: Sequence[ClaimedTask]) -> list[str]:
    return [each.task_id for each in claimed]


async def claim(storage: Storage, limit: int = 10, lease_s: float = 10, worker: str = "w") -> list[ClaimedTask]:
    return await storage.tasks.claim(worker, limit, lease_s)


async def statuses(storage: Storage, session_id: str = "s") -> dict[str, TaskStatus]:
    return {record.task_id: record.status for record in await storage.tasks.of_session(session_id)}
