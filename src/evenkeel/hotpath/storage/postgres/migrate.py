"""Migrations on PostgreSQL: one transaction each, under an advisory lock that all instances share."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.hotpath.storage.postgres.connections import Connection, Opener, translated
from evenkeel.hotpath.storage.postgres.pool import closed
from evenkeel.hotpath.storage.schema import Applied, Migration, pending

# Transaction-scoped: it works through a transaction-mode pooler, and ends with the transaction whatever happens.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('evenkeel:migrations'))"
_VERSIONS = """CREATE TABLE IF NOT EXISTS schema_versions (
    version bigint PRIMARY KEY, name text NOT NULL DEFAULT '', oldest_code bigint,
    applied_at double precision NOT NULL DEFAULT extract(epoch FROM now()))"""
_RECORD = "INSERT INTO schema_versions (version, name, oldest_code) VALUES ($1, $2, $3)"


async def migrate_postgres(opener: Opener, migrations: Sequence[Migration], *, migrate: bool) -> int:
    """Bring the database to this code's schema and answer its version.

    Raises `SchemaTooNewError`, `SchemaMissingError`, and what connecting and writing raise.
    """
    connection = await opener.connect()
    try:
        with translated():
            while left := pending(migrations, await _applied(connection), migrate=migrate):
                await _apply(connection, left[0])
            return max(row.version for row in await _applied(connection))
    finally:
        await closed(connection)


async def _apply(connection: Connection, step: Migration) -> None:
    """Looks again under the lock: another instance may have taken this step meanwhile."""
    async with connection.transaction():
        await connection.execute(_LOCK)
        await connection.execute(_VERSIONS)
        if all(row.version != step.version for row in await _applied(connection)):
            await connection.execute(step.sql)
            await connection.execute(_RECORD, step.version, step.name, step.oldest_code)


async def _applied(connection: Connection) -> list[Applied]:
    if await connection.fetchval("SELECT to_regclass('schema_versions')") is None:
        return []
    rows = await connection.fetch("SELECT version, oldest_code FROM schema_versions")
    return [Applied(row[0], row[1]) for row in rows]
