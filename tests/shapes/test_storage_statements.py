"""What a call costs, in statements and in the rows it looks at: counted, never timed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import apsw
import asyncpg
import pytest

from evenkeel.hotpath.ports.agent_tasks import Completion, Held, NewTask, TaskStatus
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.ports.outbox_rows import NewMessage
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import Cursor, EventBatch
from evenkeel.hotpath.ports.users import NewUser
from evenkeel.hotpath.storage.addresses import sqlite_path
from evenkeel.hotpath.storage.statements import read_statements
from tests.storages import Place

HOT = {
    "sqlite": [
        "acquire_lease", "renew_lease", "release_lease", "open_stream", "writer_holds", "fence_holds",
        "insert_event", "stream_head", "events_after", "enqueue_task", "claim_tasks", "heartbeat_task",
        "complete_task", "promote_thread", "enqueue_message", "due_of_group", "take_messages", "settle_message",
        "append_message", "chat_window", "token_owner", "next_round",
    ],
    "postgres": [
        "acquire_lease", "renew_leases", "release_lease", "open_stream", "append_events", "read_events",
        "enqueue_tasks", "claim_tasks", "heartbeat_tasks", "complete_tasks", "promote_threads",
        "enqueue_messages", "claim_messages", "settle_messages", "append_messages", "chat_window",
        "token_owner", "next_round", "notify",
    ],
}  # fmt: skip
STATEMENTS = {dialect: read_statements(dialect) for dialect in HOT}
SMALL = {"session_locks", "capacity_shares", "counters", "stream_posts", "agent_threads"}
"""Tables with a row per live session, instance or counter, and the reasons why a scan of them is no fault: none grows
with history. Every other table must be reached through an index."""


DRIVERS_OWN = re.compile(r"typeinfo_tree|set_config\(\s*'jit'|current_setting\('jit'\)")
"""What asyncpg asks once per connection, the first time an array is sent."""


class Counting:
    """Every statement that reaches the database, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def watch(self, connection: Any) -> None:
        if isinstance(connection, apsw.Connection):
            connection.trace_v2(apsw.SQLITE_TRACE_STMT, self._sqlite)
        else:
            connection.add_query_logger(lambda record: self.seen.append(record.query))

    def _sqlite(self, event: dict[str, Any]) -> None:
        if not event.get("trigger"):
            self.seen.append(event["sql"])

    @asynccontextmanager
    async def during(self) -> AsyncIterator[list[str]]:
        """What the block sends; the driver reports with a delay."""
        await asyncio.sleep(0.02)
        start = len(self.seen)
        found: list[str] = []
        yield found
        await asyncio.sleep(0.02)
        found += [statement for statement in self.seen[start:] if not DRIVERS_OWN.search(statement)]


def batch(session_id: str, term: int, first: int, count: int) -> EventBatch:
    ids = list(range(first, first + count))
    return EventBatch(session_id, "u", term, ids, [b"x" * 100] * count, ids[-1])


async def test_a_batch_of_events_is_one_statement_on_postgresql(database: Place) -> None:
    if not database.is_postgres:
        pytest.skip("SQLite prepares one statement and runs it per row inside one transaction")
    counting = Counting()
    async with database.open(watcher=counting.watch) as storage:
        heads = [await storage.events.open(f"s{n}", "u") for n in range(5)]
        async with counting.during() as seen:
            await storage.events.append([batch(head.session_id, head.term, 1, 50) for head in heads])
        assert len(seen) == 1


async def test_hot_calls_are_one_statement_on_postgresql(database: Place) -> None:
    if not database.is_postgres:
        pytest.skip("on SQLite statements are function calls; what counts there is the commit")
    counting = Counting()
    async with database.open(watcher=counting.watch) as storage:
        await storage.tasks.enqueue([NewTask(f"t{n}", b"") for n in range(20)])
        lease = await storage.leases.acquire(LeaseRequest("s", "o", "u"))
        assert lease is not None
        (task,) = await storage.tasks.claim("w", 1, 10)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: storage.leases.acquire(LeaseRequest("t", "o", "u")),
            lambda: storage.leases.renew([lease], 10),
            lambda: storage.tasks.enqueue([NewTask(f"u{n}", b"") for n in range(20)]),
            lambda: storage.tasks.claim("w", 10, 10),
            lambda: storage.tasks.heartbeat([Held(task.task_id, task.attempt)], 10),
            lambda: storage.tasks.complete([Completion(task.task_id, task.attempt, TaskStatus.SUCCESS)]),
            lambda: storage.events.read(Cursor("s", 0)),
            lambda: storage.events.read_many([Cursor(f"s{n}", 0) for n in range(50)]),
            lambda: storage.chat.append([ChatMessage("s", "u", "user", "x", b"") for _ in range(10)]),
            lambda: storage.chat.window("s", "u"),
            lambda: storage.tokens.owner("x"),
            lambda: storage.outbox.claim("w", limit=10, per_group=2, lease_s=10),
            lambda: storage.leases.release(lease),
        ]
        for number, call in enumerate(calls):
            async with counting.during() as seen:
                await call()
            assert len(seen) == 1, (number, seen)


async def test_calls_that_wait_share_a_commit_on_sqlite(database: Place) -> None:
    if database.is_postgres:
        pytest.skip("PostgreSQL groups commits itself")
    counting = Counting()
    async with database.open(watcher=counting.watch) as storage:
        await storage.chat.append([ChatMessage("s", "u", "user", "warm", b"")])
        async with counting.during() as seen:
            await asyncio.gather(
                *(storage.chat.append([ChatMessage("s", "u", "user", str(n), b"")]) for n in range(100))
            )
        commits = seen.count("COMMIT")
        assert seen.count("BEGIN IMMEDIATE") == commits
        assert 1 <= commits <= 20
        assert len((await storage.chat.window("s", "u")).messages) == 101


async def test_an_idle_storage_asks_the_database_nothing(database: Place) -> None:
    """Lesson l: an idle connection costs no query."""
    counting = Counting()
    async with database.open(watcher=counting.watch) as storage:
        await storage.health()
        async with counting.during() as seen:
            await asyncio.sleep(0.3)
        assert seen == []


@pytest.mark.parametrize("dialect", HOT)
def test_no_hot_statement_counts_or_deletes(dialect: str) -> None:
    statements = STATEMENTS[dialect]
    for name in HOT[dialect]:
        assert not re.search(r"\bcount\s*\(|\bDELETE\b", statements[name], re.IGNORECASE), name


@pytest.mark.parametrize("dialect", HOT)
def test_the_rule_about_hot_statements_would_notice(dialect: str) -> None:
    statements = STATEMENTS[dialect]
    assert re.search(r"\bcount\s*\(", statements["counted_active"])
    assert re.search(r"\bDELETE\b", statements["counted_expire"])


async def fill(storage: Storage) -> None:
    """Enough rows that a planner with statistics prefers an index wherever there is one."""
    await asyncio.gather(*(storage.sessions.ensure(NewSession(f"s{n}", f"u{n % 9}", "")) for n in range(1500)))
    await asyncio.gather(*(storage.users.create(NewUser(f"u{n}", f"name{n}", "hash")) for n in range(1000)))
    await asyncio.gather(*(storage.tokens.issue(f"token{n}", f"u{n}", 1000) for n in range(1000)))
    await asyncio.gather(*(storage.events.post(f"p{n}", "u", b"x") for n in range(1500)))
    for n in range(40):
        head = await storage.events.open(f"s{n}", "u")
        await storage.events.append([batch(f"s{n}", head.term, 1, 100)])
        await storage.chat.append([ChatMessage(f"s{n}", "u", "user", "x" * 50, b"") for _ in range(50)])
    tasks = [NewTask(f"t{n}", b"x" * 50, session_id=f"s{n % 400}", thread_id=f"th{n % 2000}") for n in range(4000)]
    await storage.tasks.enqueue(tasks)
    claimed = await storage.tasks.claim("w", 1500, 1000)
    finished = [Completion(c.task_id, c.attempt, TaskStatus.SUCCESS) for c in claimed[:1200]]
    await storage.tasks.complete(finished)
    await storage.outbox.enqueue(
        [NewMessage(f"m{n}", "chat", f"acc{n % 50}", "user", "p", b"x" * 50) for n in range(3000)]
    )


def scans_sqlite(database: apsw.Connection, sql: str) -> set[str]:
    values = [None] * len(set(re.findall(r"\?\d", sql))) or dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    plan = [str(row[3]) for row in database.execute("EXPLAIN QUERY PLAN " + sql, values)]
    return {match[1] for line in plan if (match := re.match(r"SCAN (\w+)(?! USING)", line))}


TABLE = re.compile(
    r"\b(?:stream_events|event_streams|stream_posts|agent_tasks|channel_outbox|chat_history|chat_sessions|user_accounts|"
    r"user_tokens)\b"
)
PRUNED_BY_SCAN = {"pending_tasks", "due_messages", "prune_outbox", "prune_tasks"}
"""The rollback path reads without an index of its own; clean-up walks the index of what is finished."""


async def test_every_statement_reaches_its_rows_through_an_index_on_sqlite(database: Place) -> None:
    if database.is_postgres:
        pytest.skip("see the next test")
    async with database.open() as storage:
        await fill(storage)
    with apsw.Connection(str(sqlite_path(database.dsn))) as connection:
        connection.execute("ANALYZE")
        for name, sql in STATEMENTS["sqlite"].items():
            aliases = dict(re.findall(r"(?:FROM|JOIN)\s+(\w+)\s+AS\s+(\w+)", sql))
            names = {alias: table for table, alias in aliases.items()}
            scanned = {names.get(scan, scan) for scan in scans_sqlite(connection, sql)}
            assert not {table for table in scanned - SMALL if TABLE.fullmatch(table)} or name in PRUNED_BY_SCAN, name


MANY = (
    "INSERT INTO user_tokens (token, user_id, expires_at, created_at, last_used_at) "
    "SELECT 'many' || n, 'u', 1, 1, 1 FROM generate_series(1, 30000) AS n",
    "INSERT INTO channel_outbox (outbox_id, idempotency_key, channel, account_id, peer_kind, peer_id, payload, status, "
    "retry_at, created_at, updated_at, delivered_at) "
    "SELECT 'many' || n, 'many' || n, 'c', 'a', '', '', '', 'sent', 1, 1, 1, 1 FROM generate_series(1, 30000) AS n",
    "INSERT INTO event_streams (session_id, user_id, term, open, reserved_to, updated_time) "
    "SELECT 'many' || n, 'u', 1, false, 1, 1 FROM generate_series(1, 30000) AS n",
    "INSERT INTO chat_history (user_id, session_id, role, content, payload, created_time) "
    "SELECT 'u', 'many' || n % 3000, 'user', '', '', 1 FROM generate_series(1, 30000) AS n",
    "INSERT INTO agent_tasks (task_id, thread_id, user_id, session_id, status, ready, rank, priority, max_attempts, "
    "retry_at, expires_at, request_payload, created_at, updated_at, finished_at) SELECT 'many' || n, '', 'u', "
    "'many' || n, 'success', false, 1, 1, 1, 1, 1, '', 1, 1, 1 FROM generate_series(1, 30000) AS n",
)
LIMITED = {"prune_events": "(NULL, 1, 50, 100)"}
"""Planned with their real limits, as the server does: without them it must expect a tenth of the table."""


def scans_postgres(plan: Any) -> set[str]:
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(scans_postgres(child) for child in plan.get("Plans", [])))


async def test_every_statement_reaches_its_rows_through_an_index_on_postgresql(database: Place) -> None:
    if not database.is_postgres:
        pytest.skip("see the test before")
    async with database.open() as storage:
        await fill(storage)
    connection = await asyncpg.connect(database.dsn)
    try:
        for statement in MANY:
            await connection.execute(statement)
        await connection.execute("ANALYZE")
        for name, sql in STATEMENTS["postgres"].items():
            await connection.execute(f"PREPARE {name} AS {sql}")
            count = max((int(number) for number in re.findall(r"\$(\d+)", sql)), default=0)
            values = LIMITED.get(name) or (f"({', '.join(['NULL'] * count)})" if count else "")
            mode = "custom" if name in LIMITED else "generic"
            await connection.execute(f"SET plan_cache_mode = force_{mode}_plan")
            plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{values}"))
            scanned = scans_postgres(plan[0]["Plan"]) - SMALL
            assert not scanned or name in PRUNED_BY_SCAN, (name, scanned)
    finally:
        await connection.close()
