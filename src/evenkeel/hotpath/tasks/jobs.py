"""Jobs: claimed tasks in this process, and the coroutine that runs one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from enum import Enum

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, Held, TaskStatus
from evenkeel.hotpath.ports.stream_events import TaskFence
from evenkeel.hotpath.ports.task_queue import Handler
from evenkeel.hotpath.tasks.outcomes import Backoff, completion_of, given_back, retried


class Stop(Enum):
    """Why a job should end early."""

    LOST = "lost"
    """Storage says that the task is someone else's."""
    EXPIRED = "expired"
    """No heartbeat got through before the lease ended: someone else may have the task."""
    CANCELLED = "cancelled"
    CLOSING = "closing"


class Job:
    """A claimed task and what became of its lease; also the `TaskContext` of its handler.

    `stop` is written by the heartbeat thread too: a handler that keeps the loop busy can still read it.
    """

    __slots__ = ("_run", "_told", "fence", "good_until", "held", "settling", "stop", "task")

    def __init__(self, task: ClaimedTask, good_until: float) -> None:
        self.task = task
        self.fence = TaskFence(task.task_id, task.attempt)
        self.held = Held(task.task_id, task.attempt)
        self.good_until = good_until  # monotonic seconds, by what this process knows
        self.stop: Stop | None = Stop.CANCELLED if task.cancelled else None
        self.settling = False
        self._run: asyncio.Task[None] | None = None
        self._told = False

    @property
    def lost(self) -> bool:
        """See `ports.task_queue.TaskContext`."""
        return self.stop in {Stop.LOST, Stop.EXPIRED}

    @property
    def cancelled(self) -> bool:
        """See `ports.task_queue.TaskContext`."""
        return self.stop is Stop.CANCELLED

    async def run(self, handler: Handler, backoff: Backoff) -> Completion | None:
        """Run the handler to its end; None = there is nothing to store, the task is someone else's.

        A job that was told to end before it began is begun and cancelled at its first pause: what was handed over with its
        handler (a lease, somebody who waits) is given back by the handler, as ever.
        """
        self._run = asyncio.current_task()
        if self.stop is not None and self._run is not None:
            self._told = True
            self._run.cancel()
        try:
            outcome = await handler(self.task, self)
            if self.stop is not None:
                await asyncio.sleep(0)  # a cancel that the handler never met is met here, not by who stores the outcome
            return completion_of(self.task, outcome, backoff)
        except asyncio.CancelledError:
            return self._stopped(backoff)
        except Exception as error:  # the contract: an exception is a retry
            return retried(self.task, f"{type(error).__name__}: {error}", backoff)
        finally:
            self._run = None

    def end(self, why: Stop) -> None:
        """On the loop: tell the job to end. The first reason stands; a handler that has finished hears nothing, one
        that is cleaning up is not disturbed again unless the queue closes.
        """
        if self.stop is None:
            self.stop = why
        if self._run is not None and (not self._told or why is Stop.CLOSING):
            self._told = True
            self._run.cancel()

    def _stopped(self, backoff: Backoff) -> Completion | None:
        match self.stop:
            case Stop.LOST:
                return None
            case Stop.EXPIRED | Stop.CLOSING:
                return given_back(self.task)
            case Stop.CANCELLED:
                return Completion(self.task.task_id, self.task.attempt, TaskStatus.CANCELLED, "cancelled on request")
            case None:
                return retried(self.task, "the handler was cancelled from inside", backoff)


class HeldJobs:
    """The jobs whose leases this process keeps: from the claim until the outcome is stored. Safe from any thread."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}  # bounded by what a queue claims before it has settled
        self._lock = threading.Lock()  # held for one dictionary operation, never across an await

    def __len__(self) -> int:
        return len(self._jobs)

    def holds(self, job: Job) -> bool:
        """Whether this very attempt is still kept."""
        return self._jobs.get(job.task.task_id) is job

    def add(self, jobs: Iterable[Job]) -> None:
        """Keep their leases from here on."""
        with self._lock:
            self._jobs.update((job.task.task_id, job) for job in jobs)

    def remove(self, jobs: Iterable[Job]) -> None:
        """Settled or lost. A later attempt of the same task in this process stays."""
        with self._lock:
            for job in jobs:
                if self._jobs.get(job.task.task_id) is job:
                    del self._jobs[job.task.task_id]

    def all(self) -> list[Job]:
        """As of now."""
        with self._lock:
            return list(self._jobs.values())

    def those(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """The ones that are wanted."""
        return [job for job in self.all() if wanted(job)]
