"""Databases that are full, read-only, damaged or incomplete: told apart, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.hotpath.ports.errors import (
    SchemaMissingError,
    StorageCorruptError,
    StorageFullError,
    StorageReadOnlyError,
)
from tests.contract.messages import execute, said
from tests.storages import Place

NOBODY = 65_534


async def write_one(place: Place) -> None:
    async with place.open() as storage:
        await storage.chat.append([said(2)])


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
