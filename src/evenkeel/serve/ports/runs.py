"""Runs: the door between those who carry requests (api, channels) and the agent that does the work.

A run belongs to its session, never to a connection: whoever asked may go away, and the run goes on. What a run says is
read from the bus; its outcome is its terminal event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.ports.requests import RunRequest


class RunState(Enum):
    """What a session does, by live evidence (a lease, a run, a task), never by a row that says so."""

    IDLE = "idle"
    WAITING = "waiting"
    """A question to the user is open; counts as idle."""
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"

    @property
    def active(self) -> bool:
        """Queued counts as active: watchers stay."""
        return self in {RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, or the sum of a round."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run ended well. `extra` holds what the contract adds by case (`a2ui`, `uid`)."""

    session_id: str
    answer: str
    usage: Usage
    stop_reason: str
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was admitted and works in the background. `subscription` was opened before its first event, so
    nothing it says is missed; whoever holds it closes it. `user_round` counts from 1.
    """

    session_id: str
    user_round: int
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Queued:
    """The session was busy; the request waits as a task. The queue's events stand in the session's own stream."""

    session_id: str
    queue_id: str
    thread_id: str


OnEnd = Callable[[RunRequest, str, Answer | EvenkeelError], Awaitable[None]]
"""Told of the end of a run whose request has `reply_to`: the request, the run's id, and how it ended. Told again when
the process died before the run's outcome was stored, so what it does must be repeatable by that id.
"""


class Runs(Protocol):
    """The agent, as the rest of the server sees it."""

    async def submit(self, request: RunRequest) -> Begun | Queued:
        """Choose the session, admit the run or queue it.

        Raises `RunRefusedError` (USER_BUSY, LLM_UNAVAILABLE, USER_QUOTA_EXCEEDED and their like, before anything was
        said in the stream), `UnknownSessionError` for another user's session, `OverloadedError` when too many wait.
        """
        ...

    async def outcome(self, begun: Begun) -> Answer:
        """Wait for the run's terminal event and answer it. Closes the subscription. Raises `RunFailedError` with the
        code of its `error` event (CANCELLED, USER_QUOTA_EXCEEDED, INTERNAL_ERROR …).
        """
        ...

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER) -> bool:
        """Signal the run wherever it is, settle its tasks and its thread. False: there was nothing to cancel."""
        ...

    async def tools(self) -> Sequence[tuple[str, str]]:
        """What runs can call: names and descriptions."""
        ...

    async def prompt(self, request: RunRequest) -> str:
        """The instructions that a run of this request would give its model."""
        ...

    async def states(self, session_ids: Sequence[str]) -> dict[str, RunState]:
        """One look for all of them."""
        ...
