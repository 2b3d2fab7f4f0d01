"""Errors by which a turn ends, and what each becomes in the stream."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.agent.models.calls import ModelFailedError
from evenkeel.serve.ports.failures import CodedError


class TurnEndedError(CodedError):
    """The turn ends in an `error` event with this code."""


def quota_exceeded(limit: int, used: int, date: str) -> TurnEndedError:
    """The day's quota is used up."""
    detail = {"daily_quota": limit, "used": used, "remaining": max(0, limit - used), "date": date}
    return TurnEndedError(
        "USER_QUOTA_EXCEEDED", "The daily quota is used up.", hint="It starts anew tomorrow.", detail=detail
    )


def told(error: Exception) -> tuple[str, str, Mapping[str, object]]:
    """Code, message and detail of the `error` event. What is not an error of ours is named by its type alone: its text
    may hold what no client should see.
    """
    if isinstance(error, CodedError):
        return error.code, error.message, error.detail
    if isinstance(error, ModelFailedError):
        return "INTERNAL_ERROR", error.message, {}
    if isinstance(error, EvenkeelError):
        return "INTERNAL_ERROR", error.message, {}
    return "INTERNAL_ERROR", f"The run failed: {type(error).__name__}.", {}
