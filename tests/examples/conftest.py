"""Runs an example backend as its users would: migrations by Alembic, requests over HTTP, a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres import Databases

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 15  # of one read; a test that waits for what never comes fails by it


@dataclass(frozen=True)
class Backend:
    """A running example: its port, its database and the folder that jobs read from."""

    port: int
    dsn: str
    inbox: Path

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; its status and decoded answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            response = _send(connection, method, path, body)
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    @contextmanager
    def events(self, job_id: int) -> Iterator[Iterator[dict[str, Any]]]:
        """The server-sent events of a job, each as it comes."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            response = _send(connection, "GET", f"/jobs/{job_id}/events", None)
            assert response.status == 200
            yield (json.loads(line.removeprefix(b"data: ")) for line in response if line.startswith(b"data: "))
        finally:
            connection.close()


def _send(connection: HTTPConnection, method: str, path: str, body: object) -> HTTPResponse:
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    return connection.getresponse()


@pytest.fixture
def start_example(
    postgres_databases: Databases, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], Backend]:
    """Starts an example by its folder name, on a migrated database; stopped when the test ends."""

    def start(name: str) -> Backend:
        dsn = postgres_databases.create_from(name, lambda empty: _migrate(name, empty))
        request.addfinalizer(lambda: postgres_databases.drop(dsn))
        inbox = tmp_path / "inbox"
        inbox.mkdir()
        context = _serving(name, _environment(dsn, inbox))
        port = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return Backend(port, dsn, inbox)

    return start


def _environment(dsn: str, inbox: Path) -> dict[str, str]:
    url = dsn.replace("postgresql://", "postgresql+asyncpg://", 1)
    return {**os.environ, "DATABASE_URL": url, "INBOX": str(inbox), "BATCH_SIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _migrate(name: str, dsn: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "alembic", "upgrade", "head"]
    result = subprocess.run(
        command, cwd=EXAMPLES / name, env=_environment(dsn, Path()), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@contextmanager
def _serving(name: str, environment: dict[str, str]) -> Iterator[int]:
    """Uvicorn on a socket that is already open, so that the first request waits for the start instead of failing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--fd", str(descriptor), "--log-level", "warning"]
        process = subprocess.Popen(command, cwd=EXAMPLES / name, env=environment, pass_fds=[descriptor])
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            process.wait()
