"""What every PostgreSQL port needs: a runner, the statements, the settings; and short ways to run a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.postgres.connections import Connection
from evenkeel.hotpath.storage.postgres.runner import Metered
from evenkeel.hotpath.storage.rows import Row
from evenkeel.hotpath.storage.settings import StorageSettings


@dataclass(frozen=True, slots=True)
class Access:
    """Shared by the ports of one storage."""

    run: Metered
    sql: Mapping[str, str]
    settings: StorageSettings
    meter: StorageMeter

    async def on(self, db: Connection, name: str, *values: Any) -> list[Row]:
        """Run a named statement on a connection that an operation holds."""
        rows: list[Row] = await db.fetch(self.sql[name], *values)
        return rows

    async def rows(self, name: str, *values: Any, call: str = "") -> list[Row]:
        """A call that is one statement."""
        return await self.run.run(call or name, lambda db: self.on(db, name, *values))

    async def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a call that is one statement, or None."""
        rows = await self.rows(name, *values)
        return rows[0] if rows else None

    def now(self) -> float | None:
        """The first parameter of every statement that asks for the time."""
        return self.settings.now()
