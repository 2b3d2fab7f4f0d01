"""The one place that chooses a path."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import QueueRules, TaskQueue
from evenkeel.hotpath.tasks.claiming import ClaimingQueue
from evenkeel.hotpath.tasks.heartbeat import HeartbeatThread
from evenkeel.hotpath.tasks.metering import MeteredQueue, TaskMeter, build_meter
from evenkeel.hotpath.tasks.opening import open_claiming
from evenkeel.hotpath.tasks.outcomes import Spread
from evenkeel.hotpath.tasks.polling import PollingQueue, open_polling
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard


@asynccontextmanager
async def build_tasks(
    rules: QueueRules,
    switches: Switchboard,
    meters: Meters,
    storage: Storage,
    *,
    clock: Clock | None = None,
    spread: Spread = random.random,  # spreads back-off and rounds, guards nothing
) -> AsyncIterator[TaskQueue]:
    """A queue over `storage.tasks`; close it before the storage. Raises `ConfigurationError` for rules that cannot
    hold.

    Leaving the block ends `serve`, so let the task that serves live outside of it: a task group around the queue, not
    in it.
    """
    _check(rules)
    worker = f"{os.getpid()}-{uuid.uuid4().hex[:16]}"
    parts = (worker, storage, rules, clock or SystemClock(), spread)
    queue, opened = switches.pick(
        "tasks",
        optimised=lambda: _claiming(*parts, build_meter(meters, Path.OPTIMISED.value)),
        rollback=lambda: _polling(*parts, build_meter(meters, Path.ROLLBACK.value)),
    )
    async with opened:
        yield queue


Built = tuple[TaskQueue, AbstractAsyncContextManager[None]]


def _claiming(
    worker: str, storage: Storage, rules: QueueRules, clock: Clock, spread: Spread, meter: TaskMeter
) -> Built:
    queue = ClaimingQueue(worker, storage, rules, clock, spread, meter)
    heartbeat = HeartbeatThread(storage, queue.held, rules, clock, meter)
    return MeteredQueue(queue, meter), open_claiming(queue, heartbeat, storage)


def _polling(worker: str, storage: Storage, rules: QueueRules, clock: Clock, spread: Spread, meter: TaskMeter) -> Built:
    queue = PollingQueue(worker, storage, rules, clock, spread, meter)
    return MeteredQueue(queue, meter), open_polling(queue)


def _check(rules: QueueRules) -> None:
    for name in ("max_workers", "claim_batch", "lease_s", "poll_s", "upkeep_s", "rollback_poll_s", "backoff_max_s"):
        value = getattr(rules, name)
        if value <= 0:
            raise ConfigurationError(f"agent_queue.{name} is {value!r}.", hint="It must be above 0.")
    if rules.prefetch < 0 or rules.drain_s < 0 or rules.backoff_base_s < 0:
        raise ConfigurationError("A rule of agent_queue is negative.", hint="prefetch, drain_s, backoff_base_s >= 0.")
    if rules.stall_s < rules.lease_s:
        raise ConfigurationError(
            f"agent_queue.stall_s is {rules.stall_s:g}, below lease_s ({rules.lease_s:g}).",
            hint="A loop may be silent for at least one lease before it counts as hung.",
        )
