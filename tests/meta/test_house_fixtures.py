"""The habits that every test relies on do what they say."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.blocking import WATCH, BlockingCallError, watched

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.postgres import Cluster, Databases

CULPRIT = """
import asyncio, pathlib, time

async def read(path):
    return pathlib.Path(path).read_text()

async def nap():
    try:
        time.sleep(0.001)
    except Exception:
        return "swallowed"
    return "slept"

async def read_in_a_thread(path):
    return await asyncio.to_thread(pathlib.Path(path).read_text)

async def late_import():
    import wave
    return wave.__name__
"""


@pytest.fixture
def culprit(tmp_path: Path) -> ModuleType:
    path = tmp_path / "package" / "culprit.py"
    path.parent.mkdir()
    path.write_text(CULPRIT)
    spec = importlib.util.spec_from_file_location("culprit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_opened_on_the_loop_is_noticed(culprit: ModuleType, tmp_path: Path) -> None:
    with watched(str(tmp_path / "package")) as seen, pytest.raises(BlockingCallError, match=r"culprit\.py:5 in read"):
        asyncio.run(culprit.read(__file__))
    assert len(seen) == 1


def test_a_swallowed_error_is_still_noticed(culprit: ModuleType, tmp_path: Path) -> None:
    with watched(str(tmp_path / "package")) as seen:
        assert asyncio.run(culprit.nap()) == "swallowed"
    assert len(seen) == 1
    assert seen[0].startswith("time.sleep")


def test_threads_and_late_imports_are_free(culprit: ModuleType, tmp_path: Path) -> None:
    with watched(str(tmp_path / "package")) as seen:
        assert "read_in_a_thread" in asyncio.run(culprit.read_in_a_thread(culprit.__file__))
        assert asyncio.run(culprit.late_import()) == "wave"
    assert seen == []


def test_other_code_is_free(tmp_path: Path) -> None:
    async def test_body() -> None:
        (tmp_path / "file").write_text("x")
        time.sleep(0.001)  # noqa: ASYNC251

    with watched() as seen:
        asyncio.run(test_body())
    assert seen == []


def test_every_test_is_watched() -> None:
    assert WATCH.active


@pytest.mark.blocking_allowed("shows that the marker switches the watch off")
def test_the_marker_switches_the_watch_off() -> None:
    assert not WATCH.active


async def _one_value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_each_test_has_an_empty_database(postgres_dsn: str) -> None:
    count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert asyncio.run(_one_value(postgres_dsn, count)) == 0


def test_a_prepared_database_is_prepared_once(postgres_databases: Databases) -> None:
    prepared: list[str] = []

    def prepare(dsn: str) -> None:
        prepared.append(dsn)
        asyncio.run(_one_value(dsn, "CREATE TABLE t AS SELECT 7 AS x"))

    first, second = (postgres_databases.create_from("seven", prepare) for _ in range(2))
    assert len(prepared) == 1
    asyncio.run(_one_value(first, "DELETE FROM t"))
    assert asyncio.run(_one_value(second, "SELECT x FROM t")) == 7
    postgres_databases.drop(first)
    postgres_databases.drop(second)


def test_a_cluster_survives_a_crash(postgres_cluster: Cluster) -> None:
    asyncio.run(_one_value(postgres_cluster.dsn, "CREATE TABLE t AS SELECT 7 AS x"))
    postgres_cluster.stop("immediate")
    with pytest.raises((ConnectionError, FileNotFoundError)):
        asyncio.run(_one_value(postgres_cluster.dsn, "SELECT 1"))
    postgres_cluster.start()
    assert asyncio.run(_one_value(postgres_cluster.dsn, "SELECT x FROM t")) == 7
