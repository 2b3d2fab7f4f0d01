"""`evenkeel serve` as a process of its own, as people start it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

KEY = "the-servers-key"


@dataclass
class Process:
    """A started server."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    async def stopped(self) -> int:
        """Ask it to stop in order; its status."""
        self.process.terminate()
        return await self.process.wait()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def started(folder: Path, *options: str, **environment: str) -> AsyncIterator[Process]:
    """Start it and wait until it says that it is ready. Whatever happens, it is gone afterwards."""
    port = free_port()
    log = folder / f"serve-{port}.log"
    command = [sys.executable, "-m", "evenkeel", "serve", "--port", str(port), *options]
    variables = {**os.environ, "EVENKEEL_API_KEY": KEY, "EVENKEEL_STORAGE__SYNCHRONOUS": "normal", **environment}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    found = Process(process, f"http://127.0.0.1:{port}", log)
    try:
        await _ready(found)
        yield found
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()


async def _ready(found: Process) -> None:
    async with httpx2.AsyncClient(base_url=found.url) as http:
        while True:
            if found.process.returncode is not None:
                raise AssertionError(found.log.read_text())
            try:
                if (await http.get("/health/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
