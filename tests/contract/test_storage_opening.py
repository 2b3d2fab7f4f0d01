"""Opening a storage: wrong addresses, schemas old and new, many instances at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evenkeel.hotpath.ports.errors import (
    SchemaMissingError,
    SchemaTooNewError,
    StorageUnavailableError,
    WrongDsnError,
)
from evenkeel.hotpath.storage.addresses import shown
from evenkeel.hotpath.storage.schema import Applied, pending, read_migrations
from tests.contract.messages import execute, said
from tests.storages import Place

LATEST = read_migrations("sqlite")[-1].version


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


async def test_the_same_schema_lets_a_second_start_change_nothing(place: Place) -> None:
    async with place.open() as storage:
        await storage.chat.append([said(1)])
    async with place.open(migrate=False) as storage:
        assert len((await storage.chat.window("s", "u")).messages) == 1
