"""Optimised path: claimed in batches, woken by notification, kept by heartbeats from a thread, completed in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, NewTask, TaskStatus
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import Handler, QueueRules, QueueState
from evenkeel.hotpath.ports.wakeups import Mode
from evenkeel.hotpath.tasks.beats import apply, beat
from evenkeel.hotpath.tasks.bell import CANCEL, Bell
from evenkeel.hotpath.tasks.chores import Chores
from evenkeel.hotpath.tasks.jobs import HeldJobs, Job, Stop
from evenkeel.hotpath.tasks.metering import TaskMeter
from evenkeel.hotpath.tasks.outcomes import Spread, backoff_of, given_back, refuse_while
from evenkeel.hotpath.tasks.settling import Pair, Settler
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, UsageError

LOG = logging.getLogger(__name__)
DEGRADED_POLL_S = 1.0
"""How often to look at least while no wake-up from another process can arrive."""
UNSETTLED_BATCHES = 4
"""No more is claimed while so many batches of outcomes wait to be stored."""
SETTLING_S = 2.0
"""How long a new task waits for the outcome of the one before it in its thread, which has just ended here."""
STOP_S = 2.0
"""How long a cancelled handler and the last writes may take beyond the drain."""


class ClaimingQueue:
    """Open with `opening.open_claiming`."""

    def __init__(
        self, worker: str, storage: Storage, rules: QueueRules, clock: Clock, spread: Spread, meter: TaskMeter
    ) -> None:
        self._worker = worker
        self._storage = storage
        self._rules = rules
        self._clock = clock
        self._meter = meter
        self._backoff = backoff_of(rules, spread)
        self.held = HeldJobs()
        self.bell = Bell(storage.wakeups, clock)
        self.settler = Settler(storage.tasks, self.held, clock, meter, self._settled)
        self.chores = Chores(storage.tasks, rules.upkeep_s, clock, spread, self.bell.ready)
        self._handler: Handler | None = None
        self._waiting: deque[Job] = deque()  # claimed, no worker free yet: at most claim room, see _room
        self._running: dict[asyncio.Task[None], Job] = {}  # at most max_workers
        self._beside: dict[asyncio.Task[None], Job] = {}  # started by callers, who bound them
        self._cause: str | None = "wake"  # why to claim next; None = nothing is known to be ready
        self._look = asyncio.Event()
        self._closing = False
        self._closed = asyncio.Event()
        self._failure: BaseException | None = None
        self._asking: set[asyncio.Task[None]] = set()

    # the port

    async def submit(self, *tasks: NewTask) -> int:
        """See the port."""
        new = await self._storage.tasks.enqueue(tasks)
        if any(task.delay_s <= 0 for task in tasks):
            self.bell.ready()  # also for known tasks: a repeat may follow a lost answer
        for task in tasks:
            if task.delay_s > 0:
                self.chores.expect(task.delay_s)
        return new

    async def start(self, task: NewTask, handler: Handler) -> bool:
        """See the port."""
        refuse_while(self._closing)
        ending = self.settler.awaits(task.thread_id)  # asked first: its outcome may be stored while storage answers
        asked = self._clock.monotonic_s()
        claimed = await self._storage.tasks.take(task, self._worker, self._rules.lease_s)
        if claimed is None and (await self.settler.settled(task.thread_id, SETTLING_S) or ending):
            asked = self._clock.monotonic_s()
            claimed = await self._storage.tasks.take(task, self._worker, self._rules.lease_s)
        if claimed is None:
            return False
        job = Job(claimed, asked + self._rules.lease_s)
        self.held.add([job])
        run = asyncio.get_running_loop().create_task(self._run(job, handler), name=task.task_id)
        self._beside[run] = job
        return True

    async def serve(self, handler: Handler) -> None:
        """See the port."""
        if self._handler is not None or self._closing:
            raise UsageError("This queue is already served, or closed.", hint="Build one queue per handler.")
        self._handler = handler
        self._look.set()
        try:
            async with background(self.chores.run(self._meter, self.state), "evenkeel-task-chores"):
                await self._closed.wait()
            if self._failure is not None:
                raise self._failure
        finally:
            self._handler = None
            self._give_back_waiting()

    async def cancel(self, task_id: str) -> TaskStatus | None:
        """See the port."""
        status = await self._storage.tasks.cancel_task(task_id)
        if status is TaskStatus.RUNNING:
            mine = self.held.those(lambda job: job.task.task_id == task_id)
            for job in mine:
                job.end(Stop.CANCELLED)
            if not mine:
                self.bell.cancel(task_id)
        return status

    def state(self) -> QueueState:
        """See the port."""
        running = len(self._running)
        return QueueState(running, self._rules.max_workers - running, self._storage.wakeups.mode, self.settler.fenced)

    # wake-ups

    def heard(self, keys: Sequence[str]) -> None:
        """A wake-up on the channel of tasks."""
        cancelled = {key.removeprefix(CANCEL) for key in keys if key.startswith(CANCEL)}
        if cancelled:
            self._ask_about(lambda job: job.task.task_id in cancelled)
        if len(cancelled) < len(keys) or not keys:
            self._hungry("wake")

    def heard_cancel(self, keys: Sequence[str]) -> None:
        """A wake-up on the channel of cancellation: sessions whose tasks may have been told to stop."""
        sessions = frozenset(keys)
        self._ask_about(lambda job: not sessions or job.task.session_id in sessions)

    def _hungry(self, cause: str) -> None:
        self._cause = self._cause or cause
        self._look.set()

    def _ask_about(self, wanted: Callable[[Job], bool]) -> None:
        """A wake-up carries no truth: a heartbeat reads the rows."""
        jobs = [job for job in self.held.those(wanted) if not job.settling]
        if jobs:
            task = asyncio.get_running_loop().create_task(self._ask(jobs))
            self._asking.add(task)  # at most one per wake-up, each bounded by a heartbeat's time
            task.add_done_callback(self._asking.discard)

    async def _ask(self, jobs: Sequence[Job]) -> None:
        found = await beat(self._storage.tasks, jobs, self._rules.lease_s, self._clock)
        self._meter.lost(len(apply(found, self.held)))

    # claiming

    async def claim_loop(self) -> None:
        """Until closing: claim whenever there is room and a reason."""
        while not self._closing:
            if self._handler is None or not self._worth_claiming():
                await self._wait_for_look()
                continue
            await self._claim()

    def ended(self, loop: asyncio.Task[None]) -> None:
        """A background loop is over. If it failed, whoever serves must know, or the queue would stand still unseen."""
        if not loop.cancelled() and (failure := loop.exception()) is not None:
            self._failure = failure
            self._closed.set()

    def _room(self) -> int:
        """How many tasks may be claimed now."""
        if self.settler.waiting >= UNSETTLED_BATCHES * self._rules.claim_batch:
            return 0
        taken = len(self._running) + len(self._waiting)
        return min(self._rules.claim_batch, self._rules.max_workers + self._rules.prefetch - taken)

    def _worth_claiming(self) -> bool:
        """With a reason, and either a worker that would stand idle or room for half a batch."""
        if self._cause is None:
            return False
        room = self._room()
        idle = self._rules.max_workers - len(self._running) > len(self._waiting)
        return room > 0 and (idle or 2 * room >= min(self._rules.claim_batch, max(1, self._rules.prefetch)))

    async def _wait_for_look(self) -> None:
        """Until something changed here, someone rang, or it is time to look without having been called."""
        self._look.clear()
        poll_s = self._rules.poll_s
        if self._storage.wakeups.mode is not Mode.LISTEN:
            poll_s = min(poll_s, DEGRADED_POLL_S)
        try:
            async with asyncio.timeout(poll_s):
                await self._look.wait()
        except TimeoutError:
            self._cause = self._cause or "poll"

    async def _claim(self) -> None:
        cause, self._cause = self._cause or "more", None  # who rings from here on is heard after this claim
        limit = self._room()
        asked = self._clock.monotonic_s()
        try:
            tasks = await self._storage.tasks.claim(self._worker, limit, self._rules.lease_s)
        except EvenkeelError as error:
            LOG.warning("Tasks could not be claimed; trying again: %s", error)
            self._cause = cause
            await self._clock.sleep(min(0.5, self._rules.poll_s))
            return
        self._meter.claimed(len(tasks), cause)
        if len(tasks) == limit:
            self._cause = "more"
        self._take(tasks, asked + self._rules.lease_s)

    def _take(self, tasks: Sequence[ClaimedTask], good_until: float) -> None:
        jobs = [Job(task, good_until) for task in tasks]
        self.held.add(jobs)
        self._waiting.extend(jobs)
        self._start_some()

    # running

    def _start_some(self) -> None:
        handler = self._handler
        while handler and not self._closing and self._waiting and len(self._running) < self._rules.max_workers:
            job = self._waiting.popleft()
            task = asyncio.get_running_loop().create_task(self._run(job, handler), name=job.task.task_id)
            self._running[task] = job

    async def _run(self, job: Job, handler: Handler) -> None:
        completion: Completion | None = given_back(job.task)
        try:
            completion = await job.run(handler, self._backoff)
        finally:
            self._running.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self._beside.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self._finish(job, completion)

    def _finish(self, job: Job, completion: Completion | None) -> None:
        if completion is None:
            self.held.remove([job])
        else:
            self.settler.add(job, completion)
        self._start_some()
        self._look.set()

    def _settled(self, pairs: Sequence[Pair]) -> None:
        """Outcomes are stored: there is room, and the next task of a thread may have its turn."""
        for _, completion in pairs:
            if completion.status is TaskStatus.RETRY:
                self.chores.expect(completion.retry_in_s)
        if any(job.task.thread_id for job, _ in pairs):
            self._hungry("more")
        self._look.set()

    # closing

    async def aclose(self, claiming: asyncio.Task[None]) -> None:
        """Claim nothing more, let running work finish, give the rest back, report it."""
        self._closing = True
        self._look.set()
        deadline = self._clock.monotonic_s() + self._rules.drain_s
        await asyncio.wait([claiming], timeout=self._rules.drain_s)
        unstarted = self._give_back_waiting()
        stopped = await self._stop_running(max(0.0, deadline - self._clock.monotonic_s()))
        unstored = await self.settler.drained(max(STOP_S, deadline - self._clock.monotonic_s()))
        if unstarted or stopped:
            self.bell.ready()
        left = len(self._running) + len(self._beside)
        if stopped or unstored or left:
            LOG.warning(
                "Task queue closed: %d handlers stopped and their tasks given back, %d handlers did not stop, "
                "%d outcomes not stored (their leases end within %g s).",
                len(stopped),
                left,
                unstored,
                self._rules.lease_s,
            )
        self._closed.set()

    def _give_back_waiting(self) -> int:
        """What no worker has begun."""
        unstarted = list(self._waiting)
        self._waiting.clear()
        for job in unstarted:
            self.settler.add(job, given_back(job.task))
        return len(unstarted)

    async def _stop_running(self, within_s: float) -> list[Job]:
        at_work = self._running | self._beside
        if at_work and within_s > 0:
            await asyncio.wait(list(at_work), timeout=within_s)
        at_work = self._running | self._beside
        for job in at_work.values():
            job.end(Stop.CLOSING)
        if at_work:
            await asyncio.wait(list(at_work), timeout=STOP_S)
        return list(at_work.values())
