"""The task queue: runs queued work with at most `max_workers` at once, in any number of instances.

Claims in batches, wakes at once when something is enqueued (in this process and in others), polls slowly in case a
wake-up was lost. Heartbeats leave from a thread of their own, so a stalled event loop does not lose leases; a lease
that *is* lost cancels the work. A handler's outcome is taken only under the attempt it was claimed with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, NewTask, TaskStatus
from evenkeel.hotpath.ports.stream_events import TaskFence
from evenkeel.hotpath.ports.wakeups import Mode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a handler ended. A run's outcome is its terminal event: one that ended in `error` is FAILED, never SUCCESS.

    RETRY with `retry_in_s` None = the queue's back-off.
    """

    status: TaskStatus
    error: str = ""
    retry_in_s: float | None = None


class TaskContext(Protocol):
    """What a handler may ask while it runs."""

    @property
    def fence(self) -> TaskFence:
        """Pass it to every event write."""
        ...

    @property
    def lost(self) -> bool:
        """True once the lease is someone else's; the handler is being cancelled."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once someone asked for the task to stop."""
        ...


Handler = Callable[[ClaimedTask, TaskContext], Awaitable[Outcome]]
"""Runs one task. An exception counts as RETRY while attempts are left, then DEAD. Cancelled when the lease is lost."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    """`lease_s` bounds how long a killed worker's tasks stay away; a heartbeat leaves every third of it.

    `claim_batch` tasks are taken per claim at most, never more than there are free workers plus `prefetch`. Every
    `upkeep_s` ended leases and due retries return to the queue. A loop that has been silent for `stall_s` is taken for
    hung: its leases are kept no longer. `rollback_poll_s` is the pause of the rollback path's loop.
    """

    max_workers: int = 8
    claim_batch: int = 50
    prefetch: int = 0
    lease_s: float = 10.0
    poll_s: float = 5.0
    drain_s: float = 10.0
    backoff_base_s: float = 1.5
    backoff_max_s: float = 30.0
    upkeep_s: float = 1.0
    stall_s: float = 60.0
    rollback_poll_s: float = 1.5


@dataclass(frozen=True, slots=True)
class QueueState:
    """For metrics and `/health`: running here, free workers, how wake-ups arrive, and completions rejected by the
    fence.
    """

    running: int
    free: int
    mode: Mode
    fenced: int


class TaskQueue(Protocol):
    """Open with `async with`: submitting works at once; work starts with `serve`. Closing claims nothing more, lets
    running work finish up to `drain_s`, gives the rest back unharmed and reports it.
    """

    async def submit(self, *tasks: NewTask) -> int:
        """Queue tasks and wake a worker, here and elsewhere; answers how many were new. Repeatable."""
        ...

    async def start(self, task: NewTask, handler: Handler) -> bool:
        """Run a task here and at once, beside the workers (`max_workers` does not count it): for work whose caller waits
        and was admitted elsewhere, and that must still outlive this process.

        From here on it is a task like any other: heartbeats, fence, outcome; when this process dies, whoever serves
        takes it up. False: another task of its thread is unfinished, or its id is known; nothing was stored. Waits for
        a task of the thread whose handler has just finished here. Raises `OverloadedError` while the queue closes.
        """
        ...

    async def serve(self, handler: Handler) -> None:
        """Claim and run tasks until the queue is closed."""
        ...

    async def cancel(self, task_id: str) -> TaskStatus | None:
        """Stop a task, waiting or running, here or elsewhere; as `AgentTasks.cancel_task`."""
        ...

    def state(self) -> QueueState:
        """What it does now; no database."""
        ...
