"""Opening a SQLite storage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.storage.addresses import sqlite_path
from evenkeel.hotpath.storage.listeners import Listeners
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.opened import OpenStorage
from evenkeel.hotpath.storage.schema import read_migrations
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.hotpath.storage.sqlite.access import Access
from evenkeel.hotpath.storage.sqlite.chat import SqliteChat, SqliteSessions, SqliteThreads
from evenkeel.hotpath.storage.sqlite.connections import Opener, Watcher
from evenkeel.hotpath.storage.sqlite.events import SqliteEvents
from evenkeel.hotpath.storage.sqlite.group_commit import build_group_commit
from evenkeel.hotpath.storage.sqlite.leases import SqliteLeases, SqliteShares
from evenkeel.hotpath.storage.sqlite.migrate import migrate_sqlite
from evenkeel.hotpath.storage.sqlite.outbox import SqliteOutbox
from evenkeel.hotpath.storage.sqlite.runner import Metered, Runner
from evenkeel.hotpath.storage.sqlite.tasks import SqliteTasks
from evenkeel.hotpath.storage.sqlite.thread_hop import build_thread_hop
from evenkeel.hotpath.storage.sqlite.users import SqliteTokens, SqliteUsers
from evenkeel.hotpath.storage.statements import read_statements
from evenkeel.kernel.switch import Path


@dataclass(frozen=True, slots=True)
class SqliteParts:
    """What both the main storage and its doubles share: threads may serve any number of event loops."""

    runner: Runner
    access: Access
    schema: int


async def open_sqlite(
    settings: StorageSettings, path: Path, meter: StorageMeter, watcher: Watcher | None = None
) -> Storage:
    """Migrate and open. Raises `WrongDsnError`, `SchemaTooNewError`, `StorageCorruptError`, …: see
    `connections.typed`.
    """
    opener = Opener(sqlite_path(settings.dsn), settings, watcher)
    parts = await asyncio.get_running_loop().run_in_executor(None, _parts, opener, path, meter)
    return _storage(parts, main=True)


def _parts(opener: Opener, path: Path, meter: StorageMeter) -> SqliteParts:
    settings = opener.settings
    schema = migrate_sqlite(opener, read_migrations("sqlite"), migrate=settings.migrate)
    build = build_group_commit if path is Path.OPTIMISED else build_thread_hop
    runner: Runner = build(opener, settings, meter)
    access = Access(Metered(runner, meter), read_statements("sqlite"), settings, meter)
    return SqliteParts(runner, access, schema)


def _storage(parts: SqliteParts, *, main: bool) -> Storage:
    access = parts.access
    events = SqliteEvents(access)
    leases, tasks, outbox = SqliteLeases(access), SqliteTasks(access, events), SqliteOutbox(access)
    wakeups = Listeners(access.settings.coalesce_s, access.meter)

    async def ask() -> str:
        rows = await access.run.read("health", lambda db: list(db.execute("SELECT sqlite_version()")))
        return f"sqlite {rows[0][0]}"

    async def double() -> Storage:
        return _storage(parts, main=False)

    async def close() -> None:
        await wakeups.aclose()
        if main:
            await parts.runner.aclose()

    return OpenStorage(
        leases=leases,
        counted_leases=leases,
        shares=SqliteShares(access),
        events=events,
        tasks=tasks,
        unclaimed_tasks=tasks,
        outbox=outbox,
        unclaimed_outbox=outbox,
        chat=SqliteChat(access),
        sessions=SqliteSessions(access),
        threads=SqliteThreads(access),
        users=SqliteUsers(access),
        tokens=SqliteTokens(access),
        wakeups=wakeups,
        path=access.meter.path,
        schema=parts.schema,
        ask=ask,
        double=double,
        close=close,
    )
