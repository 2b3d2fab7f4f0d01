"""Opening a SQLite file, and what its errors mean to a caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from evenkeel.hotpath.ports.errors import (
    OversizedError,
    SaturatedError,
    SchemaMissingError,
    StorageCorruptError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnavailableError,
    UnencodableError,
    WrongDsnError,
)
from evenkeel.hotpath.storage.addresses import shown
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.kernel.errors import EvenkeelError

BUSY_MS = 5_000
_WRITABLE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
Watcher = Callable[[apsw.Connection], None]


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens connections to one file. `watcher` sees each one first: tests count statements through it."""

    path: Path
    settings: StorageSettings
    watcher: Watcher | None = None

    def writer(self) -> apsw.Connection:
        """A connection that may write. Raises what `translated` raises."""
        return self._open(_WRITABLE, ("journal_mode = WAL", f"synchronous = {self.settings.synchronous}"))

    def reader(self) -> apsw.Connection:
        """A connection that only reads: WAL lets it, whatever the writer does."""
        return self._open(apsw.SQLITE_OPEN_READWRITE, ("query_only = on",))

    def _open(self, flags: int, pragmas: tuple[str, ...]) -> apsw.Connection:
        with translated():
            try:
                connection = apsw.Connection(str(self.path), flags=flags)
            except apsw.CantOpenError as error:
                raise WrongDsnError(shown(self.settings.dsn), _reason(error)) from error
            connection.set_busy_timeout(BUSY_MS)
            for pragma in (*pragmas, *self._limits()):
                connection.execute(f"PRAGMA {pragma}")
            if self.watcher is not None:
                self.watcher(connection)
            return connection

    def _limits(self) -> Iterator[str]:
        yield "temp_store = memory"
        yield "cache_size = -16000"  # KiB per connection
        if self.settings.max_pages:
            yield f"max_page_count = {self.settings.max_pages:d}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into typed ones that say what to do next."""
    try:
        yield
    except apsw.Error as error:
        raise typed(error) from error
    except UnicodeEncodeError as error:
        raise UnencodableError("A text", f"a lone surrogate at position {error.start}") from error


def typed(error: apsw.Error) -> EvenkeelError:
    """The meaning of a driver's error; what has none of its own counts as unavailable."""
    reason = _reason(error)
    if isinstance(error, apsw.SQLError) and ("no such table" in reason or "no such column" in reason):
        return SchemaMissingError(reason)
    if isinstance(error, apsw.IOError) and "disk" in reason and _is_full(error):
        return StorageFullError(reason)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return SaturatedError("the SQLite write lock", BUSY_MS / 1000)
    if isinstance(error, apsw.TooBigError):
        return OversizedError("A value", 0, 1_000_000_000)
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(reason)
    return StorageUnavailableError(reason)


def _is_full(error: apsw.Error) -> bool:
    """A file system without room fails the write itself on some systems: ENOSPC under an I/O error."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == 28


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


_MEANINGS: tuple[tuple[tuple[type[apsw.Error], ...], Callable[[str], EvenkeelError]], ...] = (
    ((apsw.FullError,), StorageFullError),
    ((apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError), StorageReadOnlyError),
    ((apsw.CorruptError, apsw.NotADBError), StorageCorruptError),
)
