"""Error families and what each one means to a caller.

Every error that evenkeel raises on purpose derives from `EvenkeelError` and carries a `hint`: what the reader can do next.
One table, `OUTCOMES`, maps a family to the exit status of the command line, the HTTP status of the server, and whether
trying the same call again can help.
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


class ConfigurationError(EvenkeelError):
    """A setting is missing, unknown or of the wrong type; the message names its path and source file."""


class UnavailableError(EvenkeelError):
    """A service or resource outside this process did not answer; a later try may succeed."""


class InternalError(EvenkeelError):
    """evenkeel itself failed; the message says where to report it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an error family means: exit status, HTTP status, and whether a retry can help."""

    exit_status: int
    http_status: int
    retry: bool


OUTCOMES: tuple[tuple[type[EvenkeelError], Outcome], ...] = (
    (UsageError, Outcome(exit_status=2, http_status=400, retry=False)),
    (ConfigurationError, Outcome(exit_status=2, http_status=500, retry=False)),
    (UnavailableError, Outcome(exit_status=2, http_status=503, retry=True)),
    (InternalError, Outcome(exit_status=2, http_status=500, retry=False)),
    (EvenkeelError, Outcome(exit_status=2, http_status=500, retry=False)),
)


def outcome_of(error: EvenkeelError) -> Outcome:
    """The first row of `OUTCOMES` whose family the error belongs to."""
    return next(outcome for family, outcome in OUTCOMES if isinstance(error, family))
