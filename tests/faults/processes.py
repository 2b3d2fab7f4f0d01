"""Processes of `part_child.py`: started, read line by line, killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.storages import Place

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("part_child.py")
Process = asyncio.subprocess.Process


@asynccontextmanager
async def child(what: str, place: Place) -> AsyncIterator[Process]:
    """A process of its own that works on the same database."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = sys.argv[1:]; "
        f"import runpy; runpy.run_path({str(CHILD)!r}, run_name='__main__')",
        str(CHILD), what, place.dsn, place.profile,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until(process: Process, word: str) -> list[list[str]]:
    """What it says, up to the first line that begins with the word; each line as words."""
    assert process.stdout is not None
    lines: list[list[str]] = []
    while not lines or lines[-1][0] != word:
        raw = await process.stdout.readline()
        assert raw, f"the process ended before it said {word!r}: {lines}"
        lines.append(raw.decode().split())
    return lines


async def killed(process: Process) -> list[list[str]]:
    """Kill -9; what it had said before."""
    assert process.stdout is not None
    process.kill()
    rest = (await process.stdout.read()).decode()
    return [line.split() for line in rest.splitlines(keepends=True) if line.endswith("\n")]


async def ask(process: Process) -> None:
    """Write the line that it waits for."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()


async def cut_connections(dsn: str) -> None:
    """pg_terminate_backend for everyone else in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
