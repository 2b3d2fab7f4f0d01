"""What sessions do, by live evidence: leases and tasks in storage, and what this process knows better."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from evenkeel.hotpath.ports.leases import Lease
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.serve.agent.worker import Worker
from evenkeel.serve.ports.runs import RunState


async def states(storage: Storage, worker: Worker, session_ids: Sequence[str]) -> dict[str, RunState]:
    """One look for all of them. A run that has said its last word here is no longer at work, though its lease or its
    outcome may still be on the way to storage.
    """
    found, active = await asyncio.gather(storage.leases.live(session_ids), storage.tasks.active(session_ids))
    held = {name for name, lease in found.items() if not _has_ended(worker, name, lease)}
    queued = [name for name in session_ids if name in active and name not in held]
    active -= await _settling(storage, worker, queued)
    return {name: _state(worker, name, held=name in held, active=name in active) for name in session_ids}


def _has_ended(worker: Worker, session_id: str, lease: Lease) -> bool:
    """The lease was read before its run let go of it here."""
    task_id = worker.ended.get(session_id)
    return task_id is not None and lease.owner.startswith(f"{task_id}/")


async def _settling(storage: Storage, worker: Worker, session_ids: Sequence[str]) -> frozenset[str]:
    """The sessions of which no task waits but the one that has just ended here."""
    ended = {name: task for name in session_ids if (task := worker.ended.get(name)) is not None}
    waiting = await storage.tasks.active(list(ended), list(ended.values())) if ended else frozenset()
    return frozenset(ended) - waiting


def _state(worker: Worker, session_id: str, *, held: bool, active: bool) -> RunState:
    here = worker.at_work.get(session_id)
    if here is not None and not here.ending:
        return RunState.CANCELLING if here.cancelling else RunState.RUNNING
    if held and here is None:
        return RunState.RUNNING
    if active and here is None:
        return RunState.QUEUED
    return RunState.WAITING if session_id in worker.attempts.waiting else RunState.IDLE
