"""What every SQLite port needs: a runner, the statements, the settings; and short ways to run a statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.rows import Row
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.hotpath.storage.sqlite.runner import Metered


@dataclass(frozen=True, slots=True)
class Access:
    """Shared by the ports of one storage."""

    run: Metered
    sql: Mapping[str, str]
    settings: StorageSettings
    meter: StorageMeter

    def rows(self, db: apsw.Connection, name: str, **values: Any) -> list[Row]:
        """Run a named statement to its end; `now` is set where the statement asks for it."""
        return list(db.execute(self.sql[name], {**values, "now": self.settings.now()}))

    def row(self, db: apsw.Connection, name: str, **values: Any) -> Row | None:
        """The first row, or None."""
        found = self.rows(db, name, **values)
        return found[0] if found else None

    def at(self, db: apsw.Connection, name: str, *values: Any) -> list[Row]:
        """Run a statement with numbered parameters."""
        return list(db.execute(self.sql[name], values))


def as_json(values: Iterable[object]) -> str:
    """A list for `json_each`: how a list travels in one parameter."""
    return json.dumps(list(values))
