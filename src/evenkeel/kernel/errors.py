"""Error families and what each one means to a caller.

Every error that evenkeel raises on purpose derives from `EvenkeelError` and carries a `hint`: what the reader can do
next. One table, `OUTCOMES`, maps a family to the exit status of the command line, the HTTP status of the server, and
whether trying the same call again can help.
"""

from __future__ import annotations

from dataclasses import dataclass


class EvenkeelError(Exception):
    """Base of all errors raised on purpose; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(EvenkeelError):
    """The caller asked for something that cannot be done as asked: a bad path, an unknown rule, a wrong option."""


class NotFoundError(UsageError):
    """What the caller named does not exist, or is not the caller's: both read the same, so nothing can be probed."""


class TooLargeError(UsageError):
    """The value is larger than its documented bound; the message gives both sizes."""


class ConflictError(EvenkeelError):
    """Someone else holds or has already changed what the caller wanted; repeating the same call cannot help."""


class ConfigurationError(EvenkeelError):
    """A setting is missing, unknown or of the wrong type; the message names its path and source file."""


class UnavailableError(EvenkeelError):
    """A service or resource outside this process did not answer; a later try may succeed."""


class OverloadedError(UnavailableError):
    """A bound of this process is reached; `retry_after_s` says when a try can succeed (seconds, at least 0)."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = max(0.0, retry_after_s)


class RateLimitedError(OverloadedError):
    """This caller, not the process as a whole, has used up its share."""


class NoSpaceError(UnavailableError):
    """A disk or a quota is full; only someone with access to the machine can help."""


class InternalError(EvenkeelError):
    """evenkeel itself failed; the message says where to report it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an error family means: exit status, HTTP status, and whether a retry can help."""

    exit_status: int
    http_status: int
    retry: bool


OUTCOMES: tuple[tuple[type[EvenkeelError], Outcome], ...] = (
    (NotFoundError, Outcome(exit_status=2, http_status=404, retry=False)),
    (TooLargeError, Outcome(exit_status=2, http_status=413, retry=False)),
    (UsageError, Outcome(exit_status=2, http_status=400, retry=False)),
    (ConflictError, Outcome(exit_status=2, http_status=409, retry=False)),
    (ConfigurationError, Outcome(exit_status=2, http_status=500, retry=False)),
    (RateLimitedError, Outcome(exit_status=2, http_status=429, retry=True)),
    (NoSpaceError, Outcome(exit_status=2, http_status=507, retry=False)),
    (UnavailableError, Outcome(exit_status=2, http_status=503, retry=True)),
    (InternalError, Outcome(exit_status=2, http_status=500, retry=False)),
    (EvenkeelError, Outcome(exit_status=2, http_status=500, retry=False)),
)


def outcome_of(error: EvenkeelError) -> Outcome:
    """The first row of `OUTCOMES` whose family the error belongs to."""
    return next(outcome for family, outcome in OUTCOMES if isinstance(error, family))
