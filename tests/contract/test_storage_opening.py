"""Opening and closing: wrong addresses, schemas old and new, full and read-only databases, what was accepted."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import asyncpg
import pytest

from evenkeel.hotpath.ports.chat_log import ChatMessage
from evenkeel.hotpath.ports.errors import (
    SaturatedError,
    SchemaMissingError,
    SchemaTooNewError,
    StorageCorruptError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnavailableError,
    WrongDsnError,
)
from evenkeel.hotpath.ports.leases import LeaseRequest
from evenkeel.hotpath.storage import JanitorRules, StorageSettings, build_storage
from evenkeel.hotpath.storage.addresses import shown, sqlite_path
from evenkeel.hotpath.storage.schema import Applied, pending, read_migrations
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import UsageError
from evenkeel.kernel.metrics import Meters
from tests.storages import Place

NOBODY = 65_534
LATEST = read_migrations("sqlite")[-1].version


def said(number: int, size: int = 10) -> ChatMessage:
    return ChatMessage("s", "u", "user", f"text {number}", b"x" * size, key=f"k{number}")


async def write_one(place: Place) -> None:
    async with place.open() as storage:
        await storage.chat.append([said(2)])


async def execute(place: Place, *statements: str) -> None:
    """As somebody else would, past the storage."""
    if place.is_postgres:
        connection = await asyncpg.connect(place.dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()
        return
    with apsw.Connection(str(sqlite_path(place.dsn))) as database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "hotpath.db",
        "mysql://localhost/x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////no/such/directory/file.db",
        "sqlite:///a%00b",
        "postgresql://user:secret@no-such-host.invalid/x",
        "postgresql://user:secret@localhost:port/none",
    ],
)
@pytest.mark.parametrize("profile", ["optimised", "rollback"])
async def test_a_wrong_address_is_an_error_that_says_what_to_write(dsn: str, profile: str) -> None:
    with pytest.raises(WrongDsnError) as raised:
        async with Place(dsn, profile).open():
            pass
    assert "sqlite:///" in raised.value.hint
    assert "secret" not in str(raised.value)


async def test_nobody_listens_there(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError) as raised:
        async with Place(f"postgresql://user:secret@/none?host={tmp_path}", "optimised").open():
            pass
    assert raised.value.hint
    assert "secret" not in str(raised.value)


async def test_an_unknown_database_is_a_wrong_address(place: Place) -> None:
    if not place.is_postgres:
        pytest.skip("a new SQLite file is created")
    wrong = place.dsn.replace("/evenkeel_test", "/no_such_database", 1)
    with pytest.raises(WrongDsnError):
        async with Place(wrong, place.profile).open():
            pass


@pytest.mark.parametrize(
    ("dsn", "seen"),
    [
        ("postgresql://u:p@h:5/d?password=p", "postgresql://u@h:5/d"),
        ("postgresql:///d?host=/s", "postgresql:///d"),
        ("no address", "(no scheme)"),
        ("postgresql://[", "(not an address)"),
    ],
)
def test_an_address_is_shown_without_its_secrets(dsn: str, seen: str) -> None:
    assert shown(dsn) == seen


async def test_a_newer_schema_is_refused(place: Place) -> None:
    async with place.open() as storage:
        known = (await storage.health()).schema
    await execute(place, f"INSERT INTO schema_versions (version, name) VALUES ({known + 7}, 'from the future')")
    with pytest.raises(SchemaTooNewError) as raised:
        async with place.open():
            pass
    assert str(known + 7) in raised.value.message
    assert raised.value.hint


async def test_a_newer_schema_that_says_this_code_may_stay_is_taken(place: Place) -> None:
    """Old code works on the half-migrated schema: migrations only add."""
    async with place.open() as old:
        await old.chat.append([said(1)])
        known = (await old.health()).schema
        await execute(
            place,
            "ALTER TABLE chat_history ADD COLUMN extra TEXT",
            "ALTER TABLE agent_tasks ADD COLUMN extra INTEGER NOT NULL DEFAULT 0",
            "CREATE TABLE brand_new (id INTEGER)",
            "CREATE INDEX another ON chat_history (role)",
            f"INSERT INTO schema_versions (version, name, oldest_code) VALUES ({known + 1}, 'more', {known})",
        )
        await old.chat.append([said(2)])
        assert len((await old.chat.window("s", "u")).messages) == 2
    async with place.open() as restarted:
        await restarted.chat.append([said(3)])
        assert len((await restarted.chat.window("s", "u")).messages) == 3
        assert (await restarted.health()).schema == known + 1


def test_what_is_left_to_migrate_and_who_may() -> None:
    steps = read_migrations("sqlite")
    assert [step.version for step in steps] == list(range(1, len(steps) + 1))
    half = [Applied(1, 1), Applied(2, 1)]
    assert [step.version for step in pending(steps, half, migrate=True)] == [s.version for s in steps[2:]]
    with pytest.raises(SchemaMissingError):
        pending(steps, half, migrate=False)
    with pytest.raises(SchemaTooNewError):
        pending(steps, [Applied(len(steps) + 1, None)], migrate=True)


def test_both_dialects_migrate_in_step() -> None:
    sqlite, postgres = read_migrations("sqlite"), read_migrations("postgres")
    assert [(s.version, s.name, s.oldest_code) for s in sqlite] == [
        (p.version, p.name, p.oldest_code) for p in postgres
    ]


async def test_many_instances_start_at_once_on_an_empty_database(place: Place) -> None:
    if place.is_postgres:
        await execute(place, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

    async def start(number: int) -> int:
        async with place.open() as storage:
            await storage.chat.append([said(number)])
            return (await storage.health()).schema

    schemas = await asyncio.gather(*(start(number) for number in range(4)))
    assert set(schemas) == {LATEST}
    async with place.open() as storage:
        assert len((await storage.chat.window("s", "u")).messages) == 4


async def test_a_schema_that_may_not_be_migrated_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaMissingError) as raised:
        async with Place(f"sqlite:///{tmp_path / 'empty.db'}", "optimised").open(migrate=False):
            pass
    assert "storage.migrate" in raised.value.hint


async def test_a_missing_table_is_named(place: Place) -> None:
    async with place.open() as storage:
        await execute(place, "DROP TABLE user_tokens")
        with pytest.raises(SchemaMissingError) as raised:
            await storage.tokens.revoke("x")
        assert "user_tokens" in raised.value.message
        await storage.chat.append([said(1)])


@pytest.mark.parametrize("profile", ["optimised", "rollback"])
async def test_a_file_that_is_no_database(tmp_path: Path, profile: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary, " * 500)
    with pytest.raises(StorageCorruptError) as raised:
        async with Place(f"sqlite:///{file}", profile).open():
            pass
    assert raised.value.hint
    assert file.read_text().startswith("Dear diary")


@pytest.mark.parametrize("profile", ["optimised", "rollback"])
async def test_a_full_file_loses_nothing_that_was_acknowledged(tmp_path: Path, profile: str) -> None:
    place = Place(f"sqlite:///{tmp_path / 'full.db'}", profile)
    acknowledged = 0
    async with place.open(max_pages=100) as storage:

        async def fill() -> None:
            nonlocal acknowledged
            for number in range(200):
                await storage.chat.append([said(number, size=4_000)])
                acknowledged += 1

        with pytest.raises(StorageFullError) as raised:
            await fill()
        assert raised.value.hint
        assert 10 < acknowledged < 100
        assert len((await storage.chat.window("s", "u")).messages) == acknowledged
        assert (await storage.health()).reachable
    async with place.open() as storage:
        await storage.chat.append([said(1_000)])
        assert len((await storage.chat.window("s", "u")).messages) == acknowledged + 1


async def test_a_full_batch_stores_what_fits(tmp_path: Path) -> None:
    """Units that share a commit: the one that does not fit fails alone."""
    place = Place(f"sqlite:///{tmp_path / 'full.db'}", "optimised")
    async with place.open(max_pages=60) as storage:
        sizes = [10, 4_000_000, 10, 10]
        answers = await asyncio.gather(
            *(storage.chat.append([said(n, size)]) for n, size in enumerate(sizes)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [list, StorageFullError, list, list]
        contents = {message.content for message in (await storage.chat.window("s", "u")).messages}
        assert contents == {"text 0", "text 2", "text 3"}


async def test_a_full_server_is_told_from_an_unreachable_one(place: Place) -> None:
    if not place.is_postgres:
        pytest.skip("see the tests with a full file")
    async with place.open() as storage:
        await storage.chat.append([said(1)])
        await execute(
            place,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON chat_history EXECUTE FUNCTION full_disk()",
        )
        with pytest.raises(StorageFullError) as raised:
            await storage.chat.append([said(2)])
        assert raised.value.hint
        assert len((await storage.chat.window("s", "u")).messages) == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a user without rights may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("profile", ["optimised", "rollback"])
async def test_a_read_only_file(open_folder: Path, profile: str) -> None:
    place = Place(f"sqlite:///{open_folder / 'hotpath.db'}", profile)
    async with place.open() as storage:
        await storage.chat.append([said(1)])
    for path in (*open_folder.iterdir(), open_folder):  # noqa: ASYNC240 nothing else runs
        path.chmod(0o555 if path.is_dir() else 0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)  # no file is read-only to root
    try:
        with pytest.raises(StorageReadOnlyError) as raised:
            await write_one(place)
        assert raised.value.hint
    finally:
        if is_root:
            os.seteuid(0)
        open_folder.chmod(0o755)  # noqa: ASYNC240


async def test_a_read_only_server(place: Place) -> None:
    if not place.is_postgres:
        pytest.skip("see the test with a read-only file")
    async with place.open() as storage:
        await storage.chat.append([said(1)])
    name = place.dsn.rpartition("/")[0] and place.dsn.split("/")[3].partition("?")[0]
    await execute(place, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    async with place.open() as storage:
        with pytest.raises(StorageReadOnlyError) as raised:
            await storage.chat.append([said(2)])
        assert raised.value.hint
        assert len((await storage.chat.window("s", "u")).messages) == 1


async def test_the_same_schema_lets_a_second_start_change_nothing(place: Place) -> None:
    async with place.open() as storage:
        await storage.chat.append([said(1)])
    async with place.open(migrate=False) as storage:
        assert len((await storage.chat.window("s", "u")).messages) == 1


async def test_closing_finishes_what_was_accepted(place: Place) -> None:
    async with place.open() as storage:
        calls = [asyncio.ensure_future(storage.chat.append([said(number)])) for number in range(20)]
        await asyncio.sleep(0)
        await storage.aclose()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        stored = [answer for answer in answers if isinstance(answer, list)]
        assert all(isinstance(answer, list | UsageError) for answer in answers)
        with pytest.raises(UsageError):
            await storage.chat.append([said(99)])
        await storage.aclose()
    async with place.open() as storage:
        assert len((await storage.chat.window("s", "u")).messages) == len(stored) > 0


async def test_a_caller_that_is_cancelled_leaves_the_storage_whole(place: Place) -> None:
    async with place.open(connections=2) as storage:
        for number in range(30):
            call = asyncio.ensure_future(storage.chat.append([said(number)]))
            await asyncio.sleep(0.0002 * (number % 5))
            call.cancel()
            await asyncio.wait([call])
        await storage.chat.append([said(100)])
        window = await storage.chat.window("s", "u")
        assert "text 100" in {message.content for message in window.messages}  # the others may or may not be there


async def test_a_full_queue_refuses_after_a_while(place: Place) -> None:
    async with place.open(queue_bound=2, queue_wait_s=0.0, connections=1, hop_threads=1) as storage:
        answers = await asyncio.gather(
            *(storage.chat.append([said(number)]) for number in range(30)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, SaturatedError)]
        assert refused
        assert all(error.hint and error.retry_after_s > 0 for error in refused)
        stored = len([answer for answer in answers if isinstance(answer, list)])
        assert stored + len(refused) == 30
        assert len((await storage.chat.window("s", "u")).messages) == stored > 0


@pytest.mark.blocking_allowed("the main loop is stalled on purpose")
async def test_a_storage_beside_works_while_the_main_loop_is_stalled(place: Place) -> None:
    async with place.open() as storage:
        lease = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        renewed: list[frozenset[str]] = []

        async def beat() -> None:
            beside = await storage.beside()
            try:
                renewed.append(await beside.leases.renew([lease], 30))
            finally:
                await beside.aclose()

        thread = threading.Thread(target=lambda: asyncio.run(beat()))
        thread.start()
        thread.join(timeout=10)  # nothing else runs on this loop meanwhile
        assert renewed == [frozenset()]
        assert await storage.leases.live(["s"]) == {"s": lease}


async def test_health_tells_what_is_open(place: Place) -> None:
    async with place.open() as storage:
        health = await storage.health()
        assert health.reachable
        assert health.path == place.profile
        assert health.database.startswith("postgresql" if place.is_postgres else "sqlite 3.")
        assert health.schema == LATEST


async def test_calls_are_metered_on_both_paths(place: Place) -> None:
    meters = Meters()

    def value(name: str, **labels: str) -> float:
        return meters.registry.get_sample_value(name, {"path": place.profile, **labels}) or 0.0

    async with place.open(meters) as storage:
        await storage.chat.append([said(1), said(2)])
        lease = await storage.leases.acquire(LeaseRequest("s", "run", "u"))
        assert lease is not None
        await storage.leases.release(lease)
        await storage.leases.renew([lease], 10)
        with pytest.raises(UsageError):
            await storage.chat.append([ChatMessage("\0", "u", "user", "", b"")])
        with pytest.raises(UsageError):
            await storage.sessions.get("none", None)
    assert value("evenkeel_storage_call_seconds_count", call="append_messages") == 1
    assert value("evenkeel_storage_rows_written_total", table="chat_history") == 2
    assert value("evenkeel_storage_fenced_total", what="lease") == 1
    assert value("evenkeel_storage_wait_seconds_count") > 3


async def test_the_janitor_works_in_the_background(place: Place) -> None:
    settings = StorageSettings(place.dsn, janitor=JanitorRules(every_s=0.01, events_s=0.001))
    async with build_storage(settings, read_switches(place.profile), Meters()) as storage:
        await storage.events.post("s", "u", b"x")
        for _ in range(500):
            page = await storage.events.read_tail("s")
            if not page.events:
                break
            await asyncio.sleep(0.01)
        assert (page.events, page.epoch > 0) == ((), True)
