"""From what a handler did to what is stored: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, Completion, TaskStatus
from evenkeel.hotpath.ports.task_queue import Outcome, QueueRules
from evenkeel.kernel.errors import OverloadedError

Spread = Callable[[], float]
"""Answers a number from 0 to 1: `random.random`, or a constant in tests."""

_ALLOWED = frozenset({TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.RETRY})
_OF_EVENT: Mapping[str, TaskStatus] = {
    "final": TaskStatus.SUCCESS,
    "cancelled": TaskStatus.CANCELLED,
    "error": TaskStatus.FAILED,
}


def outcome_of_event(kind: str, error: str = "") -> Outcome:
    """The outcome that a run's terminal event stands for; a run that ended in no terminal event has failed."""
    status = _OF_EVENT.get(kind)
    if status is None:
        return Outcome(TaskStatus.FAILED, error or f"The run ended in {kind!r}, which is no terminal event.")
    return Outcome(status, error)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries: doubled each time, at most `max_s`, spread by ±20 %."""

    base_s: float
    max_s: float
    spread: Spread

    def wait_s(self, attempt: int) -> float:
        """Before the try that follows `attempt` (1 = the first)."""
        doubled = self.base_s * 2.0 ** min(attempt - 1, 30)
        return min(self.max_s, doubled) * (0.8 + 0.4 * self.spread())


def backoff_of(rules: QueueRules, spread: Spread) -> Backoff:
    """As the rules say."""
    return Backoff(rules.backoff_base_s, rules.backoff_max_s, spread)


def completion_of(task: ClaimedTask, outcome: object, backoff: Backoff) -> Completion:
    """What a handler answered. Anything but one of the four outcomes is the handler's fault: FAILED, with the reason."""
    if not isinstance(outcome, Outcome) or outcome.status not in _ALLOWED:
        said = outcome.status if isinstance(outcome, Outcome) else type(outcome).__name__
        error = f"The handler answered {said}; it must answer Outcome(SUCCESS | FAILED | CANCELLED | RETRY)."
        return Completion(task.task_id, task.attempt, TaskStatus.FAILED, error)
    retry_in_s = outcome.retry_in_s
    if outcome.status is TaskStatus.RETRY and retry_in_s is None:
        retry_in_s = backoff.wait_s(task.attempt)
    return Completion(task.task_id, task.attempt, outcome.status, outcome.error, max(0.0, retry_in_s or 0.0))


def retried(task: ClaimedTask, error: str, backoff: Backoff) -> Completion:
    """A try that broke: again after the back-off, or dead when tries are used up (storage decides)."""
    return Completion(task.task_id, task.attempt, TaskStatus.RETRY, error, backoff.wait_s(task.attempt))


def given_back(task: ClaimedTask) -> Completion:
    """Untouched, for someone else: counts no try."""
    return Completion(task.task_id, task.attempt, TaskStatus.PENDING)


def refuse_while(closing: bool) -> None:
    """Nothing is started in a queue that closes. Raises `OverloadedError`."""
    if closing:
        raise OverloadedError("The task queue is closing.", hint="Ask another instance, or this one once it is back.")
