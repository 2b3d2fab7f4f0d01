"""The doctor finds what would keep a server from working, and changes nothing."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from evenkeel.hotpath.storage import StorageSettings
from evenkeel.serve.operations import Check, diagnose
from evenkeel.serve.operations.doctor import State, Subject, is_fit
from tests.storages import Place

KEY = "a-key-that-is-long-enough"


def subject(dsn: str, folder: Path, port: int = 0) -> Subject:
    settings = StorageSettings(dsn)
    return Subject(settings, "127.0.0.1", port, 100, KEY, "optimised", folder / "workspaces")


def named(checks: list[Check], name: str) -> Check:
    return next(each for each in checks if each.name.startswith(name))


async def test_a_fresh_clone_is_fit_and_stays_as_it_was(tmp_path: Path) -> None:
    checks = await diagnose(subject(f"sqlite:///{tmp_path / 'new.db'}", tmp_path))
    assert is_fit(checks), checks
    assert any("will be made" in each.detail for each in checks)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - an event loop is running


async def test_a_database_that_answers_is_named_with_its_schema(place: Place, tmp_path: Path) -> None:
    async with place.open():
        pass
    checks = await diagnose(subject(place.dsn, tmp_path))
    told = next(each for each in checks if each.name == "database")
    assert told.state is State.GOOD
    assert "schema" in told.detail


async def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "evenkeel.toml"
    config.write_text("")
    config.chmod(0o644)
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        wrong = replace(
            subject("postgresql://nobody:hunter2@127.0.0.1:1/none", tmp_path, port),
            api_key="short",
            connections=10**9,
            endpoints=["http://127.0.0.1:1/v1"],
            config=config,
        )
        checks = await diagnose(wrong)
    assert not is_fit(checks)
    for name, state in (
        ("port", State.BAD), ("database", State.BAD), ("API key", State.DOUBTFUL), ("open files", State.DOUBTFUL),
        ("configuration", State.DOUBTFUL), ("model endpoint", State.DOUBTFUL),
    ):  # fmt: skip
        assert named(checks, name).state is state, name
        assert named(checks, name).hint, name
    assert "hunter2" not in str(checks)


async def test_a_configuration_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    checks = await diagnose(replace(subject(f"sqlite:///{tmp_path}/x.db", tmp_path), config=tmp_path / "none.toml"))
    assert named(checks, "configuration").state is State.BAD
