"""What cancellation is built with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evenkeel.hotpath.ports.agent_tasks import TaskRecord
from evenkeel.hotpath.ports.envelopes import Envelope, JsonEnvelope
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.kernel.clock import Clock, SystemClock


def cancelled_event() -> Draft:
    """The terminal event of a cancelled run, as the API's clients know it."""
    return Draft("error", {"code": "CANCELLED", "message": "The run was cancelled."}, terminal=True)


def nothing_said(task: TaskRecord) -> Draft | None:
    """Of tasks that nobody was told of."""
    del task
    return None


@dataclass(frozen=True, slots=True)
class CancelRules:
    """`grace_s`: how long a run in another instance gets to end its stream itself, so that what it has shown but not
    yet stored is kept. `check_s`: how often runs here make sure that their lease stands, one statement for all of them,
    in case a wake-up was lost. `poll_s` is the rollback path's pause, per run. At most `tokens` runs at once.
    `terminal` is what a cancelled run's stream ends with; `unbegun` what is said of a task that is cancelled before a worker
    had it.
    """

    grace_s: float = 0.05
    check_s: float = 5.0
    poll_s: float = 0.2
    tokens: int = 20_000
    terminal: Draft = field(default_factory=cancelled_event)
    unbegun: Callable[[TaskRecord], Draft | None] = nothing_said
    envelope: Envelope = field(default_factory=JsonEnvelope)
    clock: Clock = field(default_factory=SystemClock)
