"""Migrations on SQLite: one transaction each; BEGIN IMMEDIATE is the lock that all processes share."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from evenkeel.hotpath.storage.schema import Applied, Migration, pending
from evenkeel.hotpath.storage.sqlite.connections import Opener, translated

_VERSIONS = """CREATE TABLE IF NOT EXISTS schema_versions (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', oldest_code INTEGER,
    applied_at REAL NOT NULL DEFAULT (unixepoch('now', 'subsec')))"""
_RECORD = "INSERT INTO schema_versions (version, name, oldest_code) VALUES (?, ?, ?)"


def migrate_sqlite(opener: Opener, migrations: Sequence[Migration], *, migrate: bool) -> int:
    """Bring the file to this code's schema and answer its version.

    Raises `SchemaTooNewError`, `SchemaMissingError`, and what opening and writing raise.
    """
    connection = opener.writer()
    try:
        with translated():
            while step := _next_step(connection, migrations, migrate=migrate):
                _apply(connection, step)
            return max(row.version for row in _applied(connection))
    finally:
        connection.close()


def _next_step(connection: apsw.Connection, migrations: Sequence[Migration], *, migrate: bool) -> Migration | None:
    left = pending(migrations, _applied(connection), migrate=migrate)
    return left[0] if left else None


def _apply(connection: apsw.Connection, step: Migration) -> None:
    """Looks again under the lock: another process may have taken this step meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_VERSIONS)
        if all(row.version != step.version for row in _applied(connection)):
            connection.execute(step.sql)
            connection.execute(_RECORD, (step.version, step.name, step.oldest_code))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _applied(connection: apsw.Connection) -> list[Applied]:
    exists = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions'").fetchall()
    rows = connection.execute("SELECT version, oldest_code FROM schema_versions") if exists else ()
    return [Applied(*row) for row in rows]
