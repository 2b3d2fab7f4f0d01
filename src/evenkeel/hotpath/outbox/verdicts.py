"""From the result of a try to what is stored: pure."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.hotpath.ports.dispatcher import BackoffTemplate, SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Delivery, OutboxStatus

Spread = Callable[[], float]
"""Answers a number from 0 to 1: `random.random`, or a constant in tests."""

ACCOUNT_FAULTS = frozenset({SendClass.THROTTLED, SendClass.UNAVAILABLE, SendClass.TIMEOUT})
"""What speaks against the account or its provider, not against the message."""


def wait_s(template: BackoffTemplate, retries: int, retry_after_s: float | None, spread: Spread) -> float:
    """Before the next try, after `retries` failed ones before this."""
    grown = min(template.max_s, template.base_s * template.factor ** min(retries, 64))
    computed = grown * (1 + template.jitter * (2 * spread() - 1))
    if retry_after_s is None:
        return computed
    return max(computed, min(retry_after_s, template.retry_after_max_s))


def delivery_of(message: ClaimedMessage, result: SendResult, template: BackoffTemplate, spread: Spread) -> Delivery:
    """SENT, a retry, or a dead letter."""
    if result.kind is SendClass.SENT:
        return Delivery(message.outbox_id, message.attempt, OutboxStatus.SENT)
    error = f"{result.kind.value}: {result.detail}" if result.detail else result.kind.value
    if result.kind in template.final or message.retries >= template.max_retries:
        return Delivery(message.outbox_id, message.attempt, OutboxStatus.FAILED, error)
    pause_s = wait_s(template, message.retries, result.retry_after_s, spread)
    return Delivery(message.outbox_id, message.attempt, OutboxStatus.RETRY, error, pause_s)


def deferred(message: ClaimedMessage, in_s: float) -> Delivery:
    """Not tried: counts no retry."""
    return Delivery(message.outbox_id, message.attempt, OutboxStatus.PENDING, "", max(0.0, in_s))
