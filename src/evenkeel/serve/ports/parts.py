"""The parts of the hot path that one process opened, as its rooms get them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from evenkeel.hotpath.ports.bounded import BoundedMaps
from evenkeel.hotpath.ports.bus import Bus
from evenkeel.hotpath.ports.cancellation import Cancellation
from evenkeel.hotpath.ports.dispatcher import Dispatcher
from evenkeel.hotpath.ports.event_writer import EventWriter
from evenkeel.hotpath.ports.limiter import Limiter
from evenkeel.hotpath.ports.messages import LeanMessages
from evenkeel.hotpath.ports.passwords import PasswordHasher
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.task_queue import TaskQueue
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Switchboard
from evenkeel.serve.ports.spans import NO_SPANS, Spans


@dataclass(frozen=True, slots=True)
class Parts:
    """Opened by `serve.app` before any room and closed after all of them, in reverse order.

    `open_tasks` answers the task queue, unopened: whoever runs tasks (the agent) opens it *inside* of what its runs
    live on, so that closing drains the queue first and the rest after it. `instance` names this process.
    """

    instance: str
    switches: Switchboard
    meters: Meters
    clock: Clock
    storage: Storage
    limiter: Limiter
    bus: Bus
    writer: EventWriter
    cancellation: Cancellation
    open_tasks: Callable[[], AbstractAsyncContextManager[TaskQueue]]
    outbox: Dispatcher
    passwords: PasswordHasher
    lean: LeanMessages
    maps: BoundedMaps
    spans: Spans = NO_SPANS
