"""`evenkeel doctor`, as a user runs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.storages import Place

SECRET = "a-key-that-nobody-may-read"
pytestmark = pytest.mark.timeout(60)


async def doctor(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    """Exit status and standard output; nothing goes to standard error."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evenkeel", "doctor", "--port", "0", *options,
        cwd=folder, env={**kept, "EVENKEEL_API_KEY": SECRET, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert errors == b""
    assert SECRET not in out.decode()
    assert process.returncode is not None
    return process.returncode, out.decode()


def state_of(told: dict[str, Any], name: str) -> str:
    return next(str(check["state"]) for check in told["checks"] if check["name"] == name)


async def test_a_fresh_folder_is_fit_and_stays_empty(tmp_path: Path) -> None:
    status, out = await doctor(tmp_path)
    assert status == 0, out
    assert "The server can start." in out
    assert any(line.startswith("ok    database ") for line in out.splitlines())
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - an event loop is running


async def test_what_keeps_a_server_from_starting_is_named_with_what_to_do(tmp_path: Path) -> None:
    dsn = "postgresql://nobody:hunter2@127.0.0.1:1/none"
    status, out = await doctor(tmp_path, "--postgres", dsn, "--json", "--model-url", "http://127.0.0.1:1/v1")
    told = json.loads(out)
    assert (status, told["fit"]) == (2, False)
    assert state_of(told, "database") == "fail"
    assert state_of(told, "model endpoint http://127.0.0.1:1/v1") == "warn"
    assert all(check["hint"] for check in told["checks"] if check["state"] != "ok")
    assert "hunter2" not in out


async def test_settings_that_do_not_hold_are_a_finding_too(tmp_path: Path) -> None:
    status, out = await doctor(tmp_path, EVENKEEL_SERVER__CONECTIONS="3")
    assert status == 2
    assert "fail  settings" in out
    assert "Did you mean connections?" in out


async def test_a_database_of_a_server_is_looked_at(database: Place, tmp_path: Path) -> None:
    async with database.open():
        pass
    kind = "--postgres" if database.is_postgres else "--sqlite"
    status, out = await doctor(tmp_path, kind, database.dsn.removeprefix("sqlite:///"), "--json")
    assert status == 0, out
    assert state_of(json.loads(out), "database") == "ok"
