"""What the task queue tells about itself: the same series for both paths, measured around submit and handler."""

from __future__ import annotations

import time
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Depth, NewTask, TaskStatus, Upkeep
from evenkeel.hotpath.ports.task_queue import Handler, Outcome, QueueState, TaskContext, TaskQueue
from evenkeel.hotpath.ports.wakeups import Mode
from evenkeel.kernel.metrics import ITEMS, Meters

LONG_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, slots=True)
class TaskMeter:
    """The metrics of one queue, all of one `path`; the labelled children are looked up once."""

    path: str
    submitted: Counter
    finished: Counter
    waits: Histogram
    runs: Histogram
    batches: Histogram
    fenced_writes: Counter
    lost_leases: Counter
    returned: Counter
    failed_beats: Counter
    depths: Gauge
    ages: Gauge
    silence: Gauge
    modes: Gauge

    def silent(self, seconds: float) -> None:
        """How long the event loop has owed the heartbeat thread an answer."""
        self.silence.labels(self.path).set(seconds)

    def beat_failed(self) -> None:
        """A round of heartbeats did not get through."""
        self.failed_beats.labels(self.path).inc()

    def lost(self, count: int) -> None:
        """Leases that were gone while the handler ran."""
        if count:
            self.lost_leases.labels(self.path).inc(count)

    def fenced(self, count: int) -> None:
        """Outcomes that came too late and changed nothing."""
        if count:
            self.fenced_writes.labels(self.path).inc(count)

    def claimed(self, count: int, cause: str) -> None:
        """Tasks of one claim, and what it was made for: `wake`, `poll` or `more` (the last one was full)."""
        self.batches.labels(self.path, cause).observe(count)

    def kept_up(self, upkeep: Upkeep) -> None:
        """What a round of upkeep returned to the queue or buried."""
        for what, count in (("expired", upkeep.recovered), ("due", upkeep.woken), ("dead", upkeep.dead)):
            if count:
                self.returned.labels(self.path, what).inc(count)

    def depth(self, depth: Depth, state: QueueState) -> None:
        """How full the queue is, everywhere and here, and how wake-ups arrive."""
        self.depths.labels(self.path, "waiting").set(depth.waiting)
        self.depths.labels(self.path, "running").set(depth.running)
        self.depths.labels(self.path, "running_here").set(state.running)
        self.ages.labels(self.path).set(depth.oldest_s)
        for mode in Mode:
            self.modes.labels(self.path, mode.value).set(mode is state.mode)


def build_meter(meters: Meters, path: str) -> TaskMeter:
    """The metrics of a queue on this path."""
    return TaskMeter(
        path,
        submitted=meters.counter("tasks", "submitted", "Tasks queued that were new."),
        finished=meters.counter("tasks", "finished", "Tries that ended, by outcome.", ["outcome"]),
        waits=meters.histogram("tasks", "wait", "seconds", "From queued to started.", bounds=LONG_SECONDS),
        runs=meters.histogram("tasks", "run", "seconds", "Duration of a try.", bounds=LONG_SECONDS),
        batches=meters.histogram("tasks", "claim", "items", "Tasks per claim, by cause.", ["cause"], bounds=ITEMS),
        fenced_writes=meters.counter("tasks", "fenced", "Outcomes rejected because the attempt was over."),
        lost_leases=meters.counter("tasks", "lost_leases", "Handlers cancelled because their lease was gone."),
        returned=meters.counter("tasks", "returned", "Tasks that upkeep moved, by reason.", ["reason"]),
        failed_beats=meters.counter("tasks", "failed_heartbeats", "Rounds of heartbeats that did not get through."),
        depths=meters.gauge("tasks", "queue", "items", "Tasks by state.", ["state"]),
        ages=meters.gauge("tasks", "oldest", "seconds", "Age of the oldest waiting task."),
        silence=meters.gauge("tasks", "loop_silence", "seconds", "How long the event loop has not answered."),
        modes=meters.gauge("tasks", "wakeup_mode", "info", "1 for the way wake-ups arrive now.", ["mode"]),
    )


class MeteredQueue:
    """A `TaskQueue`, measured from outside."""

    def __init__(self, queue: TaskQueue, meter: TaskMeter) -> None:
        self._queue = queue
        self._submitted = meter.submitted.labels(meter.path)
        self._waits = meter.waits.labels(meter.path)
        self._runs = meter.runs.labels(meter.path)
        self._finished = {status: meter.finished.labels(meter.path, status.value) for status in TaskStatus}
        self._broken = meter.finished.labels(meter.path, "raised")
        self._stopped = meter.finished.labels(meter.path, "stopped")

    async def submit(self, *tasks: NewTask) -> int:
        """See the port."""
        new = await self._queue.submit(*tasks)
        self._submitted.inc(new)
        return new

    async def start(self, task: NewTask, handler: Handler) -> bool:
        """See the port."""
        started = await self._queue.start(task, self._measured(handler))
        self._submitted.inc(started)
        return started

    async def serve(self, handler: Handler) -> None:
        """See the port."""
        await self._queue.serve(self._measured(handler))

    async def cancel(self, task_id: str) -> TaskStatus | None:
        """See the port."""
        return await self._queue.cancel(task_id)

    def state(self) -> QueueState:
        """See the port."""
        return self._queue.state()

    def _measured(self, handler: Handler) -> Handler:
        async def measured(task: ClaimedTask, context: TaskContext) -> Outcome:
            self._waits.observe(task.waited_s)
            started = time.perf_counter()
            counter = self._stopped
            try:
                outcome: object = await handler(task, context)  # user code: it may answer anything
                counter = (
                    self._finished.get(outcome.status, self._broken) if isinstance(outcome, Outcome) else self._broken
                )
                return outcome  # type: ignore[return-value]
            except Exception:
                counter = self._broken
                raise
            finally:
                self._runs.observe(time.perf_counter() - started)
                counter.inc()

        return measured
