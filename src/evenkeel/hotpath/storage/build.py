"""The one place that chooses a database and a path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.storage.addresses import dialect_of
from evenkeel.hotpath.storage.janitor import keeping_clean
from evenkeel.hotpath.storage.metering import StorageMeter, build_meter
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard

Watcher = Callable[[Any], None]
"""Sees every connection (of whichever driver) when it is opened: for counting statements."""


@asynccontextmanager
async def build_storage(
    settings: StorageSettings, switches: Switchboard, meters: Meters, *, watcher: Watcher | None = None
) -> AsyncIterator[Storage]:
    """Migrate and open the database that `settings.dsn` names, with its janitor; close both in the end.

    Raises `WrongDsnError`, `SchemaTooNewError`, `SchemaMissingError`, `StorageReadOnlyError`, `StorageCorruptError`,
    `StorageUnavailableError`, and `ConfigurationError` when the database's driver is not installed.
    """
    path = switches.pick("storage", optimised=lambda: Path.OPTIMISED, rollback=lambda: Path.ROLLBACK)
    storage = await _open(settings, path, build_meter(meters, path.value, settings.slow_s), watcher)
    try:
        async with keeping_clean(storage, settings.janitor, settings.clock):
            yield storage
    finally:
        await storage.aclose()


async def _open(settings: StorageSettings, path: Path, meter: StorageMeter, watcher: Watcher | None) -> Storage:
    """Drivers are imported here, so that a SQLite service needs no PostgreSQL driver and the other way round."""
    dialect = dialect_of(settings.dsn)
    extra = {"sqlite": "hotpath", "postgres": "postgres"}[dialect]
    try:
        room = import_module(f"evenkeel.hotpath.storage.{dialect}.opened")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The driver {error.name} is not installed.", hint=f"pip install 'evenkeel[{extra}]'"
        ) from None
    opened: Storage = await getattr(room, f"open_{dialect}")(settings, path, meter, watcher)
    return opened
