"""Opening a PostgreSQL storage."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.wakeups import Channel
from evenkeel.hotpath.storage.listeners import Listeners
from evenkeel.hotpath.storage.metering import StorageMeter
from evenkeel.hotpath.storage.opened import OpenStorage
from evenkeel.hotpath.storage.postgres.access import Access
from evenkeel.hotpath.storage.postgres.chat import PostgresChat, PostgresSessions, PostgresThreads
from evenkeel.hotpath.storage.postgres.connections import Opener, Watcher
from evenkeel.hotpath.storage.postgres.events import PostgresEvents
from evenkeel.hotpath.storage.postgres.leases import PostgresLeases, PostgresShares
from evenkeel.hotpath.storage.postgres.listen import ListenConnection, payloads
from evenkeel.hotpath.storage.postgres.migrate import migrate_postgres
from evenkeel.hotpath.storage.postgres.native import build_native
from evenkeel.hotpath.storage.postgres.outbox import PostgresOutbox
from evenkeel.hotpath.storage.postgres.runner import Metered, Runner
from evenkeel.hotpath.storage.postgres.tasks import PostgresTasks
from evenkeel.hotpath.storage.postgres.thread_hop import build_thread_hop
from evenkeel.hotpath.storage.postgres.users import PostgresTokens, PostgresUsers
from evenkeel.hotpath.storage.schema import Migration, read_migrations
from evenkeel.hotpath.storage.settings import StorageSettings
from evenkeel.hotpath.storage.statements import read_statements
from evenkeel.kernel.background import background
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.switch import Path

BESIDE_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What every double of a storage is opened with."""

    opener: Opener
    path: Path
    meter: StorageMeter
    sql: Mapping[str, str]
    schema: int
    instance: str


async def open_postgres(
    settings: StorageSettings, path: Path, meter: StorageMeter, watcher: Watcher | None = None
) -> Storage:
    """Migrate and open. Raises `WrongDsnError`, `SchemaTooNewError`, `StorageUnavailableError`, …: see
    `connections`.
    """
    opener = Opener(settings, watcher)
    migrations, sql = await asyncio.get_running_loop().run_in_executor(None, _read_files)
    schema = await migrate_postgres(opener, migrations, migrate=settings.migrate)
    return await _open(Plan(opener, path, meter, sql, schema, uuid.uuid4().hex), main=True)


def _read_files() -> tuple[tuple[Migration, ...], Mapping[str, str]]:
    return read_migrations("postgres"), read_statements("postgres")


async def _open(plan: Plan, *, main: bool) -> Storage:
    settings = plan.opener.settings
    if plan.path is Path.OPTIMISED:
        size = settings.connections if main else BESIDE_CONNECTIONS
        runner: Runner = await build_native(plan.opener, plan.meter, size)
    else:
        size = settings.hop_threads if main else BESIDE_CONNECTIONS
        runner = await build_thread_hop(plan.opener, plan.meter, size)
    access = Access(Metered(runner, plan.meter), plan.sql, settings, plan.meter)
    return await _assembled(plan, access, runner, main=main)


async def _assembled(plan: Plan, access: Access, runner: Runner, *, main: bool) -> Storage:
    async def send(channel: Channel, keys: Sequence[str]) -> None:
        with contextlib.suppress(EvenkeelError):  # a lost wake-up is allowed for; storage has counted the error
            await access.rows("notify", f"evenkeel_{channel.value}", list(payloads(plan.instance, keys)))

    events = PostgresEvents(access)
    leases, tasks, outbox = PostgresLeases(access), PostgresTasks(access, events), PostgresOutbox(access)
    wakeups = Listeners(access.settings.coalesce_s, access.meter, send)
    open_parts = contextlib.AsyncExitStack()
    open_parts.push_async_callback(runner.aclose)
    open_parts.push_async_callback(wakeups.aclose)
    if main:
        listening = ListenConnection(plan.opener, wakeups, plan.instance)
        await open_parts.enter_async_context(background(listening.run(), "evenkeel-listen"))

    async def ask() -> str:
        rows = await access.run.run("health", lambda db: db.fetch("SHOW server_version"))
        return f"postgresql {rows[0][0]}"

    async def double() -> Storage:
        return await _open(plan, main=False)

    return OpenStorage(
        leases=leases,
        counted_leases=leases,
        shares=PostgresShares(access),
        events=events,
        tasks=tasks,
        unclaimed_tasks=tasks,
        outbox=outbox,
        unclaimed_outbox=outbox,
        chat=PostgresChat(access),
        sessions=PostgresSessions(access),
        threads=PostgresThreads(access),
        users=PostgresUsers(access),
        tokens=PostgresTokens(access),
        wakeups=wakeups,
        path=plan.meter.path,
        schema=plan.schema,
        ask=ask,
        double=double,
        close=open_parts.aclose,
    )
