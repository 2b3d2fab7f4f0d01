"""Rows written on one path are read on the other, both ways and at the same time: no switch needs a migration."""

from __future__ import annotations

import asyncio

import pytest

from evenkeel.hotpath.ports.agent_tasks import Completion, NewTask, TaskStatus
from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.leases import Crowded, Lease, LeaseRequest
from evenkeel.hotpath.ports.outbox_rows import Delivery, NewMessage, OutboxStatus
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.stream_events import Cursor, EventBatch
from evenkeel.hotpath.ports.users import NewUser
from tests.storages import PROFILES, Place

BOTH_WAYS = pytest.mark.parametrize("writer", PROFILES)


def other(profile: str) -> str:
    return PROFILES[1 - PROFILES.index(profile)]


async def write_everything(storage: Storage) -> None:
    await storage.sessions.ensure(NewSession("s", "u", "title"))
    await storage.sessions.next_round("s", "u")
    await storage.chat.append([ChatMessage("s", "u", "user", "text é", b"\0payload")])
    await storage.users.create(NewUser("u", "ann", "hash"))
    await storage.tokens.issue("token", "u", 100)
    await storage.threads.bind("u", "a", "s")
    head = await storage.events.open("s", "u")
    await storage.events.append([EventBatch("s", "u", head.term, [1, 2], [b"one", b"\xfftwo"], 2, closing=True)])
    await storage.tasks.enqueue([NewTask("t1", b"\0", "u", "s", "th"), NewTask("t2", b"2", "u", "s", "th")])
    await storage.outbox.enqueue([NewMessage("m", "chat", "acc", "user", "peer", b"\0m", idempotency_key="k")])


async def read_everything(storage: Storage) -> None:
    assert (await storage.sessions.get("s", "u")).rounds == 1
    (message,) = (await storage.chat.window("s", "u")).messages
    assert (message.content, message.payload) == ("text é", b"\0payload")
    owner = await storage.tokens.owner("token")
    assert owner is not None
    assert owner.user.username == "ann"
    thread = await storage.threads.main("u", "a")
    assert thread is not None
    assert thread.session_id == "s"
    page = await storage.events.read(Cursor("s", 0), user_id="u")
    assert [(event.event_id, event.payload) for event in page.events] == [(1, b"one"), (2, b"\xfftwo")]
    assert (await storage.events.open("s", "u")).next_id == 3
    (task,) = await storage.tasks.claim("w", 5, 10)
    assert (task.task_id, task.payload) == ("t1", b"\0")
    await storage.tasks.complete([Completion("t1", task.attempt, TaskStatus.SUCCESS)])
    assert [each.task_id for each in await storage.tasks.claim("w", 5, 10)] == ["t2"]
    (row,) = await storage.outbox.claim("w", limit=5, per_group=5, lease_s=10)
    assert (row.payload, row.idempotency_key) == (b"\0m", "k")
    assert await storage.outbox.settle([Delivery("m", row.attempt, OutboxStatus.SENT)]) == frozenset()


@BOTH_WAYS
async def test_what_one_path_wrote_the_other_reads(database: Place, writer: str) -> None:
    async with database.on(writer).open() as storage:
        await write_everything(storage)
    async with database.on(other(writer)).open() as storage:
        await read_everything(storage)


@BOTH_WAYS
async def test_both_paths_at_once(database: Place, writer: str) -> None:
    async with database.on(writer).open() as one, database.on(other(writer)).open() as two:
        await write_everything(one)
        await read_everything(two)


@BOTH_WAYS
async def test_what_is_written_without_prepared_statements_is_read_with_them(database: Place, writer: str) -> None:
    """The setting for a transaction-mode pooler, on either side."""
    if not database.is_postgres:
        pytest.skip("there is nothing between SQLite and its file")
    async with database.on(writer).open(pgbouncer=True, listen_dsn=database.dsn) as storage:
        await write_everything(storage)
    async with database.on(other(writer)).open() as storage:
        await read_everything(storage)


async def test_a_writer_on_one_path_is_fenced_by_one_on_the_other(database: Place) -> None:
    async with database.on("optimised").open() as one, database.on("rollback").open() as two:
        for old, new in ((one, two), (two, one)):
            first = await old.events.open("s", "u")
            second = await new.events.open("s", "u")
            late = EventBatch("s", "u", first.term, [first.next_id], [b"late"], first.next_id)
            assert (await old.events.append([late])).fenced == {"s"}
            assert second.next_id > first.reserved_to


async def test_leases_of_both_limiters_exclude_one_another(database: Place) -> None:
    async with database.on("optimised").open() as one, database.on("rollback").open() as two:
        lease = await one.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        assert await two.counted_leases.acquire_counted(LeaseRequest("s", "thief", "u"), 10) is None
        assert await two.counted_leases.acquire_counted(LeaseRequest("t", "run", "u"), 1) == Crowded(1)
        assert await one.leases.release(lease)
        counted = await two.counted_leases.acquire_counted(LeaseRequest("s", "other", "u"), 1)
        assert isinstance(counted, Lease)
        assert counted.epoch > lease.epoch
        assert await one.leases.acquire(LeaseRequest("s", "thief", "u")) is None
        assert await two.counted_leases.release_counted(counted)
        again = await one.leases.acquire(LeaseRequest("s", "run", "u"))
        assert again is not None
        assert again.epoch > counted.epoch


async def test_workers_on_both_paths_share_a_queue(database: Place) -> None:
    async with database.on("optimised").open() as one, database.on("rollback").open() as two:
        await one.tasks.enqueue([NewTask(f"t{n}", b"", thread_id=f"th{n % 4}") for n in range(40)])
        ran: list[str] = []

        async def work(storage: Storage) -> None:
            misses = 0
            while misses < 10:
                batch = await storage.tasks.claim("w", 3, 10)
                misses = 0 if batch else misses + 1
                ran.extend(each.task_id for each in batch)
                await storage.tasks.complete(
                    [Completion(each.task_id, each.attempt, TaskStatus.SUCCESS) for each in batch]
                )

        await asyncio.gather(work(one), work(two))
        while (await one.tasks.upkeep()).promoted:
            await work(one)
        assert sorted(ran) == sorted(f"t{n}" for n in range(40))
