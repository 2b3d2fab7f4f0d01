"""Storage for tests: every database and path, opened the way a service opens it. Also lets tests be coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import Clock, ManualClock
from evenkeel.kernel.metrics import Meters
from tests.postgres import Databases

DATABASES = ("sqlite", "postgres")
PROFILES = ("optimised", "rollback")


@dataclass(frozen=True)
class Place:
    """A database of the test's own and the path on which it is opened; open it as often as there are instances."""

    dsn: str
    profile: str
    clock: Clock | None = None

    def settings(self, **changes: Any) -> StorageSettings:
        """What it is opened with: no janitor, so that only the test removes anything."""
        return replace(StorageSettings(self.dsn, janitor=None, clock=self.clock, connections=6), **changes)

    def open(
        self, meters: Meters | None = None, watcher: Callable[[Any], None] | None = None, **changes: Any
    ) -> AbstractAsyncContextManager[Storage]:
        """One instance."""
        switches = read_switches(self.profile)
        return build_storage(self.settings(**changes), switches, meters or Meters(), watcher=watcher)

    def on(self, profile: str) -> Place:
        """The same database on the other path."""
        return replace(self, profile=profile)

    @property
    def is_postgres(self) -> bool:
        """Which database."""
        return self.dsn.startswith("postgres")

    @property
    def manual(self) -> ManualClock:
        """The clock of a test that sets the time."""
        assert isinstance(self.clock, ManualClock)
        return self.clock


def fresh_dsn(database: str, request: pytest.FixtureRequest) -> str:
    """An empty database that is dropped after the test."""
    if database == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{folder / 'hotpath.db'}"
    databases: Databases = request.getfixturevalue("postgres_databases")
    dsn = databases.create_from("hotpath", _migrate)
    request.addfinalizer(lambda: databases.drop(dsn))
    return dsn


def _migrate(dsn: str) -> None:
    async def migrate() -> None:
        async with Place(dsn, "optimised").open():
            pass

    asyncio.run(migrate())


@pytest.fixture(params=[f"{database}-{profile}" for database in DATABASES for profile in PROFILES])
def place(request: pytest.FixtureRequest) -> Place:
    """Each database on each path, with the database's own clock."""
    database, profile = request.param.split("-")
    return Place(fresh_dsn(database, request), profile)


@pytest.fixture
def timed(place: Place) -> Place:
    """The same with a clock that the test sets."""
    return replace(place, clock=ManualClock())


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Place:
    """Each database on the optimised path."""
    return Place(fresh_dsn(request.param, request), "optimised")


@pytest.fixture
def timed_database(database: Place) -> Place:
    """The same with a clock that the test sets."""
    return replace(database, clock=ManualClock())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function on an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    with asyncio.Runner() as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True
