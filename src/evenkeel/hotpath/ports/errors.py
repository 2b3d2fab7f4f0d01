"""What can go wrong on the hot path, each with what to do next. Families and their outcomes:
`evenkeel.kernel.errors`.
"""

from __future__ import annotations

from evenkeel.kernel.errors import (
    ConfigurationError,
    ConflictError,
    NoSpaceError,
    NotFoundError,
    OverloadedError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UsageError,
)


class OversizedError(TooLargeError):
    """A payload is over its bound."""

    def __init__(self, what: str, size_bytes: int, bound_bytes: int) -> None:
        super().__init__(
            f"{what} has {size_bytes} bytes; the bound is {bound_bytes}.",
            hint="Truncate it before it is emitted (hotpath.lean), or store it apart and emit a reference.",
        )
        self.size_bytes = size_bytes
        self.bound_bytes = bound_bytes


class UnencodableError(UsageError):
    """A text holds NUL or a lone surrogate, which no database text column can keep."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f"{what} holds {reason}.",
            hint="Replace it first: text.replace('\\0', '\\N{REPLACEMENT CHARACTER}'), "
            "text.encode('utf-8', 'replace').decode().",
        )


class UnknownSessionError(NotFoundError):
    """No session of this id belongs to this user; a foreign session reads exactly the same."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session {session_id!r}.", hint="Create it first, or check whose token was sent.")
        self.session_id = session_id


class UnknownTaskError(NotFoundError):
    """No task of this id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"There is no task {task_id!r}.", hint="It may have been removed by age; list the session's tasks."
        )
        self.task_id = task_id


class SessionBusyError(ConflictError):
    """A live run holds the session."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session {session_id!r} is busy.", hint="Queue the request, or cancel the running one.")
        self.session_id = session_id


class FencedError(ConflictError):
    """The caller's number is no longer current: its lease ended and someone else may hold it. Nothing was written."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is no longer held by this run; nothing was written.",
            hint="Stop this run without writing anything more: its successor reports the outcome.",
        )


class StoppedError(FencedError):
    """The task was told to stop before its run had opened its stream: it must not begin."""


class OffsetTakenError(ConflictError):
    """An event id already holds other bytes. Events are immutable: nothing was written."""

    def __init__(self, session_id: str, event_id: int) -> None:
        super().__init__(
            f"Event {event_id} of session {session_id!r} is already stored with other content.",
            hint="Two writers share one session: open the stream once per run and let one writer number its events.",
        )


class NameTakenError(ConflictError):
    """A unique name (user name, e-mail address) belongs to someone else."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is taken.", hint="Choose another.")


class QueueFullError(OverloadedError):
    """A bounded queue is full and its policy is to refuse."""

    def __init__(self, queue: str, bound: int, *, retry_after_s: float = 1.0) -> None:
        super().__init__(
            f"{queue} is full ({bound}).",
            hint="Slow down or raise the bound; the queue's water-level metric shows which.",
            retry_after_s=retry_after_s,
        )


class SaturatedError(OverloadedError):
    """Waiting for room (a slot, a connection, a place in a queue) took longer than allowed."""

    def __init__(self, what: str, waited_s: float, *, retry_after_s: float = 1.0) -> None:
        super().__init__(
            f"No room in {what} within {waited_s:g} s.",
            hint="Try again later; if it lasts, raise the limit or add an instance.",
            retry_after_s=retry_after_s,
        )


class TooManyAttemptsError(RateLimitedError):
    """This address or account has used up its attempts."""

    def __init__(self, what: str, *, retry_after_s: float) -> None:
        super().__init__(
            f"Too many attempts for {what}.", hint=f"Wait {retry_after_s:.0f} s.", retry_after_s=retry_after_s
        )


class StorageUnavailableError(UnavailableError):
    """The database did not answer, or the connection broke while it did: the outcome of the call may be unknown."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database did not answer: {reason}.",
            hint="Repeat calls marked repeatable; check that the database runs and accepts connections.",
        )


class NotDrainedError(UnavailableError):
    """A part was closed and could not hand over in time what it had accepted."""

    def __init__(self, what: str, left: int, waited_s: float) -> None:
        super().__init__(
            f"{what} closed with {left} records left after {waited_s:g} s.",
            hint="See why storage did not take them; raise drain_s if it was only slow.",
        )
        self.left = left


class StorageFullError(NoSpaceError):
    """The database cannot grow. What was acknowledged before is safe; this call wrote nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database cannot grow: {reason}.",
            hint="Free disk space or raise the quota, then repeat; nothing acknowledged was lost.",
        )


class StorageReadOnlyError(ConfigurationError):
    """The database refuses writes."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database is read-only: {reason}.",
            hint="Make the file and its directory writable for this user, or connect to the primary.",
        )


class StorageCorruptError(UnavailableError):
    """The file is not a database, or is damaged."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database file cannot be read: {reason}.",
            hint="Restore a backup, or name another file; `PRAGMA integrity_check` says what is damaged.",
        )


class WrongDsnError(ConfigurationError):
    """The address of the database means nothing, or leads nowhere. The password is never repeated."""

    def __init__(self, dsn: str, reason: str) -> None:
        super().__init__(
            f"Cannot use the database address {dsn}: {reason}.",
            hint="Write sqlite:///path/to/file.db or postgresql://user@host:port/database.",
        )


class SchemaTooNewError(ConfigurationError):
    """The database was migrated by a newer version that this one cannot work beside."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"The database has schema version {found}; this program knows {known}.",
            hint="Start the newer program, or restore the backup taken before it ran.",
        )


class SchemaMissingError(ConfigurationError):
    """The database lacks a table or a column that this version needs."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database schema is incomplete: {reason}.",
            hint="Start once with storage.migrate = true, or as a user who may create tables.",
        )
