"""The database of a run: a fresh one each time, and what it says itself of the work it was given.

The database's own counters are the witness that a server cannot talk around: transactions, scans of the events table, bytes
of write-ahead log. They are read before the servers start and after they have stopped, because PostgreSQL's backends add
theirs to the total with a delay, and at the latest when they end.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.cluster import running_cluster

# Commits wait for the disk, as in production; memory as a small server has it.
CLUSTER = {"shared_buffers": "128MB", "max_wal_size": "2GB", "wal_compression": "off"}
EVENT_TABLES = ("stream_events", "event_streams")


class Work(msgspec.Struct, frozen=True):
    """What a database did, by its own count. `event_scans`: scans of the tables that hold stream events."""

    transactions: int = 0
    event_scans: int = 0
    log_bytes: int = 0

    def since(self, earlier: Work) -> Work:
        """What was added."""
        return Work(
            self.transactions - earlier.transactions,
            self.event_scans - earlier.event_scans,
            self.log_bytes - earlier.log_bytes,
        )


@dataclass(frozen=True)
class Database:
    """One database. `arguments` are those of `evenkeel serve`."""

    kind: str
    dsn: str  # of PostgreSQL, or the path of the SQLite file

    @property
    def arguments(self) -> tuple[str, str]:
        """How a server is told."""
        return ("--postgres" if self.kind == "postgres" else "--sqlite", self.dsn)

    async def work(self) -> Work | None:
        """What was done in it so far; None where the database does not count."""
        if self.kind != "postgres":
            return None
        connection = await _connect(self.dsn)
        try:
            row = await connection.fetchrow(_COUNTERS, list(EVENT_TABLES))
            return Work(*(int(value or 0) for value in row))
        finally:
            await connection.close()

    async def count(self, statement: str) -> int:
        """One number from PostgreSQL or SQLite. The statement is ours."""
        rows = await self.rows(statement)
        return int(str(rows[0][0])) if rows else 0

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a statement of ours, read while no server runs."""
        if self.kind == "postgres":
            connection = await _connect(self.dsn)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()
        return await asyncio.to_thread(_sqlite_rows, self.dsn, statement)


_COUNTERS = """
SELECT (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
       (SELECT sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0)) FROM pg_stat_user_tables WHERE relname = ANY($1)),
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')
"""


def _sqlite_rows(path: str, statement: str) -> list[tuple[object, ...]]:
    import apsw  # noqa: PLC0415

    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()


async def _connect(dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError) as error:
        raise UnavailableError(f"PostgreSQL did not answer: {error}.", hint="Check --dsn.") from error


@dataclass
class Databases:
    """Makes a fresh database for each run and removes it afterwards."""

    kind: str
    folder: Path
    dsn: str = ""  # of the maintenance database
    version: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Database]:
        """For one run."""
        number = next(self._numbers)
        if self.kind != "postgres":
            folder = self.folder / f"run{number}"
            await asyncio.to_thread(folder.mkdir, parents=True)
            try:
                yield Database("sqlite", str(folder / "hotpath.db"))
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            return
        name = f"evenkeel_prove_{os.getpid()}_{number}"
        await self._run(f'CREATE DATABASE "{name}"')
        try:
            yield Database("postgres", urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}")))
        finally:
            await self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _run(self, statement: str) -> None:
        connection = await _connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def describe(self) -> str:
        """Name and version, for the evidence."""
        if self.kind != "postgres":
            import apsw  # noqa: PLC0415

            return f"SQLite {apsw.sqlite_lib_version()}"
        connection = await _connect(self.dsn)
        try:
            return f"PostgreSQL {await connection.fetchval('SHOW server_version')}"
        finally:
            await connection.close()


@asynccontextmanager
async def databases(kind: str, folder: Path, dsn: str = "") -> AsyncIterator[Databases]:
    """For all runs: SQLite files in `folder`, or databases on `dsn`, or on a cluster that lives as long as the block."""
    if kind != "postgres" or dsn:
        yield Databases(kind, folder, dsn)
        return
    cluster = running_cluster(
        CLUSTER
    )  # evenkeel: ignore[blocking-io-in-async] its body runs when it is entered, on a thread
    started = await asyncio.to_thread(cluster.__enter__)
    try:
        yield Databases(kind, folder, started.dsn)
    finally:
        await asyncio.to_thread(cluster.__exit__, None, None, None)
