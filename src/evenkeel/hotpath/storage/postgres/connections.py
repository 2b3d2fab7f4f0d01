"""Opening a PostgreSQL connection, and what its errors mean to a caller."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from evenkeel.hotpath.ports.errors import (
    SaturatedError,
    SchemaMissingError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnavailableError,
    UnencodableError,
    WrongDsnError,
)
from evenkeel.hotpath.storage.addresses import shown
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.kernel.errors import EvenkeelError

Connection: TypeAlias = asyncpg.Connection  # Any for mypy: asyncpg ships no types
Watcher = Callable[[Any], None]
CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens connections to one database. `watcher` sees each one first: tests count statements through it."""

    settings: StorageSettings
    watcher: Watcher | None = None

    async def connect(self) -> Connection:
        """A connection for statements. Raises `WrongDsnError`, `StorageUnavailableError`."""
        connection = await self._connect(self.settings.dsn, pooled=self.settings.pgbouncer)
        if self.watcher is not None:
            self.watcher(connection)
        return connection

    async def connect_direct(self) -> Connection:
        """A connection that LISTEN may stay on: around a transaction-mode pooler, if there is one."""
        return await self._connect(self.settings.listen_dsn or self.settings.dsn, pooled=False)

    async def _connect(self, dsn: str, *, pooled: bool) -> Connection:
        # Behind a transaction-mode pooler the next statement may run on another server connection, which knows nothing
        # of a prepared statement or a session setting. JIT compilation costs more than any statement here takes.
        options = {} if pooled else {"jit": "off"}
        try:
            return await asyncpg.connect(
                dsn,
                timeout=CONNECT_S,
                command_timeout=self.settings.call_timeout_s,
                statement_cache_size=0 if pooled else 256,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": "evenkeel", **options},
            )
        except (ValueError, asyncpg.InterfaceError, socket.gaierror) as error:
            raise WrongDsnError(shown(dsn), _reason(error)) from None
        except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
            raise WrongDsnError(shown(dsn), _reason(error)) from None
        except (asyncpg.PostgresError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise StorageUnavailableError(f"{shown(dsn)}: {_reason(error)}") from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into typed ones that say what to do next."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise typed(error) from error


def typed(error: Exception) -> EvenkeelError:
    """The meaning of a driver's error; what has none of its own counts as unavailable."""
    reason = _reason(error)
    if isinstance(error, asyncpg.QueryCanceledError | asyncpg.TooManyConnectionsError | asyncpg.LockNotAvailableError):
        return SaturatedError(f"the database ({reason})", 0.0)
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError | ValueError):
        return UnencodableError("A text", reason)  # a ValueError: the driver could not encode a parameter
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning(reason)
    return StorageUnavailableError(reason)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], Callable[[str], EvenkeelError]], ...] = (
    ((asyncpg.DiskFullError, asyncpg.OutOfMemoryError), StorageFullError),
    ((asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError), StorageReadOnlyError),
    ((asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedObjectError), SchemaMissingError),
)
