"""Agent tasks: work that is queued, claimed, fenced and settled.

A task runs when it is `pending`, its turn has come, and no earlier task of the same `thread_id` is unfinished. States:
pending -> running -> success | failed | cancelled | retry -> pending …, and dead once its retries or its time are used
up.

Order: by `priority` (0 = most urgent) with ageing: a task of priority p waits at most as long as one of priority p - 1
that was queued `ageing_s` seconds later. No task starves, at any load.

The fence is `attempt`: every claim raises it, and heartbeat, completion and event write name it. A worker that was
paused past its lease finds its numbers stale: nothing it writes is taken, and each such try is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class TaskStatus(Enum):
    """The column `status`."""

    PENDING = "pending"
    RUNNING = "running"
    RETRY = "retry"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


UNFINISHED = (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.RETRY)


@dataclass(frozen=True, slots=True)
class NewTask:
    """What to queue. `thread_id` "" = runs beside anything; else at most one task of a thread runs, in queue order.

    `ttl_s` counts from now; `delay_s` postpones the first run; `max_attempts` includes the first.
    """

    task_id: str
    payload: bytes
    user_id: str = ""
    session_id: str = ""
    thread_id: str = ""
    agent_id: str = ""
    request_id: str = ""
    priority: int = 1
    delay_s: float = 0.0
    ttl_s: float = 86_400.0
    max_attempts: int = 3


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task that this worker holds until `lease_s` after the claim, or longer by heartbeat. `attempt` is its fence.

    `cancelled` = it was told to stop, and its worker died before it had: it is claimed once more to say its last word.
    """

    task_id: str
    attempt: int
    max_attempts: int
    thread_id: str
    session_id: str
    user_id: str
    agent_id: str
    payload: bytes
    queued_at: float
    waited_s: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A task and the attempt under which it is held."""

    task_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Completion:
    """How an attempt ended: SUCCESS, FAILED, CANCELLED, or RETRY after `retry_in_s` (DEAD if attempts are used up).

    PENDING gives the task back untouched, as a worker does that shuts down: the attempt does not count.
    """

    task_id: str
    attempt: int
    status: TaskStatus
    error: str = ""
    retry_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat found: `lost` tasks are someone else's now, `cancelled` ones should stop."""

    lost: frozenset[str]
    cancelled: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settled:
    """`accepted` completions are stored. `fenced` ones were rejected: their effects must be dropped."""

    accepted: frozenset[str]
    fenced: frozenset[str]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a round of upkeep did. `due_in_s` = until the next retry or delayed task is due; None = nothing waits."""

    recovered: int
    woken: int
    dead: int
    promoted: int
    due_in_s: float | None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as it stands, for lists and for the settling of a session; only that tells the `payload`."""

    task_id: str
    thread_id: str
    session_id: str
    user_id: str
    status: TaskStatus
    attempt: int
    queued_at: float
    started_at: float | None
    finished_at: float | None
    last_error: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class LastWords:
    """What is said in the stream of a session that is cancelled. `unbegun` = of a task that will not be run (None =
    nothing); `last` = before that, where nothing is at work that has a last word of its own.
    """

    last: bytes
    unbegun: Callable[[TaskRecord], bytes | None]


@dataclass(frozen=True, slots=True)
class CancelledSession:
    """`tasks` = what was unfinished, as it stood before, in the order of the line. `open_term` = of the stream, if it was
    open. `last_id` = the event id of `LastWords.last`, if it was said.
    """

    tasks: tuple[TaskRecord, ...]
    open_term: int | None = None
    last_id: int | None = None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many tasks wait (at most `bound` are looked at), and how long the oldest has, in seconds."""

    waiting: int
    running: int
    oldest_s: float


class AgentTasks(Protocol):
    """The table `agent_tasks`."""

    async def enqueue(self, tasks: Sequence[NewTask]) -> int:
        """Queue all of them; answers how many were new. Repeatable: a known `task_id` is left as it is."""
        ...

    async def claim(self, worker: str, limit: int, lease_s: float) -> list[ClaimedTask]:
        """Take up to `limit` tasks atomically, most urgent first. Two claims never get the same attempt.

        An empty list means nothing is ready. If the answer is lost, the leases run out and the tasks come back.
        """
        ...

    async def take(self, task: NewTask, worker: str, lease_s: float) -> ClaimedTask | None:
        """Store a new task as one that this worker runs already, under attempt 1: queue and claim in one statement.

        None, and nothing is stored, while another task of its thread is unfinished or when the `task_id` is known.
        """
        ...

    async def heartbeat(self, held: Sequence[Held], lease_s: float) -> Beat:
        """Extend the leases by `lease_s` from now, in one statement. Repeatable."""
        ...

    async def complete(self, completions: Sequence[Completion]) -> Settled:
        """Settle attempts and let the next task of each thread run. Repeatable: the same completion is accepted
        twice.
        """
        ...

    async def cancel_task(self, task_id: str) -> TaskStatus | None:
        """CANCELLED if it had not started; RUNNING if its worker was told to stop (`Beat.cancelled`); the final status
        if it was over; None if there is no such task.
        """
        ...

    async def cancel_session(
        self, session_id: str, words: LastWords | None = None, *, sparing: str = ""
    ) -> CancelledSession:
        """Cancel what waits, say so in the session's stream, and tell what runs to stop; all of it or nothing.

        From then on no task of it can open the stream (`StoppedError`). The task `sparing` is left alone if it runs: it
        says its last word by itself. Repeatable.
        """
        ...

    async def active(self, session_ids: Sequence[str], besides: Sequence[str] = ()) -> frozenset[str]:
        """Sessions with a task that waits or runs under a live lease. Queued counts as active; tasks `besides` do not."""
        ...

    async def of_session(self, session_id: str, limit: int = 50) -> list[TaskRecord]:
        """The newest tasks of a session, newest first."""
        ...

    async def upkeep(self, limit: int = 500) -> Upkeep:
        """In parts: expired leases back to the queue (or dead), due retries woken, overdue tasks dead, stuck threads
        promoted. Call about once a second in one or more instances; it never touches a live lease.

        A task that was told to stop comes back too, once more than its attempts: see `ClaimedTask.cancelled`.
        """
        ...

    async def dead(self, limit: int = 50) -> list[TaskRecord]:
        """The newest dead letters."""
        ...

    async def revive(self, task_ids: Sequence[str]) -> int:
        """Queue dead or failed tasks again with fresh attempts and time; the fence keeps rising. Answers how many."""
        ...

    async def depth(self, bound: int = 10_000) -> Depth:
        """For metrics, about once a second: looks at no more than `bound` rows of an index."""
        ...

    async def prune(self, older_than_s: float, limit: int = 1000) -> int:
        """Remove finished tasks by age. For the janitor alone."""
        ...


class UnclaimedTasks(Protocol):
    """The rollback queue's way: read what is pending, then mark it. Two instances can take the same row. Same rows."""

    async def pending(self, limit: int = 50) -> list[TaskRecord]:
        """What is due, oldest first, claimed or not."""
        ...

    async def start(self, task_id: str, worker: str, lease_s: float) -> ClaimedTask | None:
        """Mark as running, whatever it was; None if it is gone or was cancelled."""
        ...
