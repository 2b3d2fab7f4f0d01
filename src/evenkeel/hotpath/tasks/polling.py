"""Rollback path: poll, read what is pending, spawn it all. No claim, no limit, no wake-up, one write per outcome.

Two instances can take the same task; that is what the other path is for. The fence still holds: of two runs of a task
the outcome of one is taken. Leases are kept from the event loop, so rows can be shared with the other path.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.hotpath.ports.agent_tasks import UNFINISHED, NewTask, TaskRecord, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import Handler, QueueRules, QueueState
from evenkeel.hotpath.ports.wakeups import Mode
from evenkeel.hotpath.tasks.beats import apply, beat, due
from evenkeel.hotpath.tasks.chores import Chores
from evenkeel.hotpath.tasks.jobs import HeldJobs, Job, Stop
from evenkeel.hotpath.tasks.metering import TaskMeter
from evenkeel.hotpath.tasks.outcomes import Spread, backoff_of, refuse_while
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, UsageError

LOG = logging.getLogger(__name__)
READ = 50
ENDING_S = 0.01
STOP_S = 2.0


class PollingQueue:
    """Open with `open_polling`."""

    def __init__(
        self, worker: str, storage: Storage, rules: QueueRules, clock: Clock, spread: Spread, meter: TaskMeter
    ) -> None:
        self._worker = worker
        self._storage = storage
        self._rules = rules
        self._clock = clock
        self._meter = meter
        self._backoff = backoff_of(rules, spread)
        self._held = HeldJobs()
        self._chores = Chores(storage.tasks, rules.upkeep_s, clock, spread, lambda: None)
        self._spawned: dict[str, tuple[TaskRecord, asyncio.Task[None]]] = {}  # unbounded on purpose: the old way
        self._beside: set[asyncio.Task[None]] = set()  # started by callers
        self._running = 0
        self._fenced = 0
        self._serving = False
        self._closing = asyncio.Event()
        self._closed = asyncio.Event()

    async def submit(self, *tasks: NewTask) -> int:
        """See the port; nobody is woken."""
        return await self._storage.tasks.enqueue(tasks)

    async def start(self, task: NewTask, handler: Handler) -> bool:
        """See the port."""
        refuse_while(self._closing.is_set())
        while True:
            ending = self._is_ending(task.thread_id)  # asked first: its outcome may be stored while storage answers
            asked = self._clock.monotonic_s()
            claimed = await self._storage.tasks.take(task, self._worker, self._rules.lease_s)
            if claimed is not None or not (ending or self._is_ending(task.thread_id)):
                break
            await self._clock.sleep(ENDING_S)
        if claimed is None:
            return False
        job = Job(claimed, asked + self._rules.lease_s)
        run = asyncio.get_running_loop().create_task(self._settled(job, handler), name=task.task_id)
        self._beside.add(run)
        run.add_done_callback(self._beside.discard)
        return True

    def _is_ending(self, thread_id: str) -> bool:
        """Whether the outcome of a task of this thread is on its way to storage."""
        return any(job.task.thread_id == thread_id for job in self._held.all() if job.settling)

    async def serve(self, handler: Handler) -> None:
        """See the port."""
        if self._serving or self._closing.is_set():
            raise UsageError("This queue is already served, or closed.", hint="Build one queue per handler.")
        self._serving = True
        try:
            async with (
                background(self._chores.run(self._meter, self.state), "evenkeel-task-chores"),
                background(self._keep_leases(), "evenkeel-task-leases"),
            ):
                while not self._closing.is_set():
                    await self._look(handler)
                    await self._pause()
                await self._closed.wait()
        finally:
            self._serving = False

    async def cancel(self, task_id: str) -> TaskStatus | None:
        """See the port; elsewhere it is noticed with the next heartbeat."""
        status = await self._storage.tasks.cancel_task(task_id)
        if status is TaskStatus.RUNNING:
            for job in self._held.those(lambda job: job.task.task_id == task_id):
                job.end(Stop.CANCELLED)
        return status

    def state(self) -> QueueState:
        """See the port."""
        return QueueState(self._running, max(0, self._rules.max_workers - self._running), Mode.POLL, self._fenced)

    async def aclose(self) -> None:
        """Spawn nothing more, let what runs finish, stop the rest."""
        self._closing.set()
        await self._wait_for_spawned(self._rules.drain_s)
        stopped = self._held.all()
        for job in stopped:
            job.end(Stop.CLOSING)
        await self._wait_for_spawned(STOP_S)
        if stopped:
            LOG.warning("Task queue closed: %d handlers stopped, %d did not stop.", len(stopped), len(self._spawned))
        self._closed.set()

    async def _wait_for_spawned(self, within_s: float) -> None:
        tasks = [task for _, task in self._spawned.values()] + list(self._beside)
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._rules.rollback_poll_s):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _look(self, handler: Handler) -> None:
        try:
            records = await self._storage.unclaimed_tasks.pending(READ)
        except EvenkeelError as error:
            LOG.warning("Pending tasks could not be read; trying again: %s", error)
            return
        due_now = frozenset(record.task_id for record in records)
        threads = {record.thread_id for record, _ in self._spawned.values()}
        for record in records:
            if record.task_id in self._spawned or (record.thread_id and record.thread_id in threads):
                continue
            threads.add(record.thread_id)
            task = asyncio.get_running_loop().create_task(self._run(record, due_now, handler), name=record.task_id)
            self._spawned[record.task_id] = (record, task)

    async def _run(self, record: TaskRecord, due_now: frozenset[str], handler: Handler) -> None:
        try:
            first = await self._first_in_line(record)
            if first in due_now:
                await self._start(first, handler)
        except EvenkeelError as error:
            LOG.warning("Task %s is left to the end of its lease: %s", record.task_id, error)
        finally:
            del self._spawned[record.task_id]

    async def _start(self, task_id: str, handler: Handler) -> None:
        asked = self._clock.monotonic_s()
        task = await self._storage.unclaimed_tasks.start(task_id, self._worker, self._rules.lease_s)
        if task is None:
            return
        self._running += 1
        try:
            await self._run_to_end(Job(task, asked + self._rules.lease_s), handler)
        finally:
            self._running -= 1

    async def _settled(self, job: Job, handler: Handler) -> None:
        try:
            await self._run_to_end(job, handler)
        except EvenkeelError as error:
            LOG.warning("Task %s is left to the end of its lease: %s", job.task.task_id, error)

    async def _run_to_end(self, job: Job, handler: Handler) -> None:
        self._held.add([job])
        try:
            completion = await job.run(handler, self._backoff)
            job.settling = True
            settled = await self._storage.tasks.complete([completion] if completion else [])
        finally:
            self._held.remove([job])
        self._fenced += len(settled.fenced)
        self._meter.fenced(len(settled.fenced))

    async def _first_in_line(self, record: TaskRecord) -> str:
        """The oldest unfinished task of the same thread: the old way asked whether the session is busy."""
        if not record.thread_id or not record.session_id:
            return record.task_id
        others = await self._storage.tasks.of_session(record.session_id, 200)
        line = [each for each in others if each.thread_id == record.thread_id and each.status in UNFINISHED]
        return line[-1].task_id if line else record.task_id

    async def _keep_leases(self) -> None:
        """From the event loop: a handler that blocks it lets the leases run out."""
        while True:
            await self._clock.sleep(self._rules.lease_s / 3)
            jobs = due(self._held, self._rules.lease_s, self._clock)
            found = await beat(self._storage.tasks, jobs, self._rules.lease_s, self._clock)
            self._meter.lost(len(apply(found, self._held)))


@asynccontextmanager
async def open_polling(queue: PollingQueue) -> AsyncIterator[None]:
    """Nothing to start; stop what was spawned."""
    try:
        yield
    finally:
        await queue.aclose()
