"""Databases for tests on a real PostgreSQL: `$EVENKEEL_TEST_DSN`, else the throw-away cluster that `prove` uses too."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from evenkeel.prove.load.cluster import Cluster, running_cluster

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cluster", "Databases", "running_cluster"]


@dataclass
class Databases:
    """Databases on one server, made and dropped by name; a prepared one is a template, so that migrations run once."""

    dsn: str
    prefix: str
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _templates: dict[str, str] = field(default_factory=dict)

    def create(self, template: str = "template1") -> str:
        """A new database; its DSN."""
        name = f"{self.prefix}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.address(name)

    def create_from(self, key: str, prepare: Callable[[str], None]) -> str:
        """A new database as `prepare(dsn)` leaves it. `prepare` runs once a session for each key."""
        if key not in self._templates:
            dsn = self.create()
            prepare(dsn)
            self._templates[key] = self.name(dsn)
        return self.create(self._templates[key])

    def drop(self, dsn: str) -> None:
        """Drop a database, and cut whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{self.name(dsn)}" WITH (FORCE)')

    def drop_templates(self) -> None:
        """Drop what `create_from` keeps."""
        for name in self._templates.values():
            self.drop(self.address(name))

    def address(self, name: str) -> str:
        """The DSN of a database of that name."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    @staticmethod
    def name(dsn: str) -> str:
        """The database that a DSN names."""
        return urlsplit(dsn).path.removeprefix("/")

    def execute(self, statement: str) -> None:
        """Run one statement on the maintenance database."""
        asyncio.run(_execute(self.dsn, statement))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
