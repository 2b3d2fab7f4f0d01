"""The outbox dispatcher: sends queued messages, each account at its own pace.

Bounded concurrency per (channel, account) and in all; a breaker per account that costs no retry while open; back-off
templates per provider, as data. Every send carries its idempotency key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Group, NewMessage


class SendClass(Enum):
    """What came of a try; a template says what each class means for the row and for the breaker."""

    SENT = "sent"
    THROTTLED = "throttled"
    """429, or the provider's own code for it."""
    UNAVAILABLE = "unavailable"
    """5xx, connection refused or reset."""
    TIMEOUT = "timeout"
    REJECTED = "rejected"
    """4xx: the same message will be refused again."""
    FORBIDDEN_TARGET = "forbidden_target"
    """The address leads into a private network."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The class of a try, the provider's `Retry-After` in seconds if it sent one, and a short reason."""

    kind: SendClass
    retry_after_s: float | None = None
    detail: str = ""


Sender = Callable[[ClaimedMessage], Awaitable[SendResult]]
"""Sends one message through its provider. An exception counts as UNAVAILABLE; the dispatcher's time-out as TIMEOUT."""


@dataclass(frozen=True, slots=True)
class BackoffTemplate:
    """Waits between tries: `base_s * factor**n`, at most `max_s`, spread by `jitter` (0.2 = ±20 %); `Retry-After` is
    honoured between the computed wait and `retry_after_max_s`. After `max_retries` failed tries a row is a dead
    letter.
    """

    provider: str
    base_s: float = 2.0
    factor: float = 2.0
    max_s: float = 60.0
    jitter: float = 0.2
    retry_after_max_s: float = 3600.0
    max_retries: int = 5
    timeout_s: float = 10.0
    final: frozenset[SendClass] = frozenset({SendClass.REJECTED, SendClass.FORBIDDEN_TARGET})


@dataclass(frozen=True, slots=True)
class DispatchRules:
    """Bounds of one dispatcher: at most `max_sends` are under way, and at most twice as many are claimed, those included
    whose outcome is not stored yet; so many can go out again when the process is killed. `lease_s` must exceed every
    template's `timeout_s`.

    `breaker_failures` failed tries in a row open an account's breaker for `breaker_open_s`; then one message tries.
    Closing waits `drain_s` for sends under way. `rollback_poll_s` is the pause of the rollback path's loop.
    """

    max_sends: int = 64
    per_group: int = 4
    claim_batch: int = 100
    lease_s: float = 30.0
    poll_s: float = 5.0
    breaker_failures: int = 5
    breaker_open_s: float = 30.0
    upkeep_s: float = 1.0
    drain_s: float = 15.0
    rollback_poll_s: float = 0.5


@dataclass(frozen=True, slots=True)
class DispatchState:
    """For metrics and `/health`: sends under way, and the accounts whose breaker is open."""

    in_flight: int
    open_breakers: tuple[Group, ...]


class Dispatcher(Protocol):
    """Open with `async with`. Closing sends nothing new, waits for sends under way, gives claimed rows back."""

    async def submit(self, *messages: NewMessage) -> int:
        """Queue messages and wake a dispatcher; answers how many were new. Repeatable."""
        ...

    async def serve(self, sender: Sender) -> None:
        """Claim and send until closed. Raises what its background work failed with."""
        ...

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """Send dead letters again."""
        ...

    def state(self) -> DispatchState:
        """What it does now; no database."""
        ...
