"""Servers under test, each a process of its own: started, asked, stopped, and killed without warning."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.database import Database
from evenkeel.prove.measure.processes import Census, census
from evenkeel.prove.measure.scrape import Reading, reading

OURS = (sys.executable, "-m", "evenkeel", "serve")
READY_S = 60.0
STOP_S = 20.0
API_KEY = "evenkeel-prove"  # of a server that lives for one run, on the loopback interface


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as `section.key` into the names under which a server reads them from its environment."""
    return {f"EVENKEEL_{key.upper().replace('.', '__')}": value for key, value in settings.items()}


@dataclass(frozen=True)
class Recipe:
    """How a server of one arm is started. `command` before the options; `settings` go into the environment."""

    profile: str
    command: Sequence[str] = OURS
    settings: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, port: int, database: Database, model_url: str) -> list[str]:
        """The whole command line."""
        return [
            *self.command, "--host", "127.0.0.1", "--port", str(port), *database.arguments,
            "--profile", self.profile, "--model-url", model_url,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """The environment: ours, the key, and the settings."""
        return {**os.environ, "EVENKEEL_API_KEY": API_KEY, **self.settings}


@dataclass
class Server:
    """One instance. `url` is where it listens."""

    url: str
    api_key: str = API_KEY
    process: subprocess.Popen[bytes] | None = None  # None: somebody else's
    log: Path | None = None
    restarts: int = 0

    @property
    def pids(self) -> list[int]:
        """The processes that are ours to look at."""
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def kill(self) -> None:
        """SIGKILL, to it and its children: nothing is written, nothing released."""
        if self.pids and self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end, and make it after 20 s. Its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        deadline = time.monotonic() + STOP_S
        while self.pids and time.monotonic() < deadline:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.02)
        self.kill()
        return await asyncio.to_thread(self.process.wait)


@dataclass
class Fleet:
    """The instances of one arm on one database."""

    recipe: Recipe
    database: Database
    model_url: str
    folder: Path
    servers: list[Server] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        """Where they listen."""
        return [server.url for server in self.servers]

    @property
    def ours(self) -> bool:
        """Processes that this run started."""
        return all(server.process is not None for server in self.servers)

    async def census(self) -> Census:
        """All of them, as the operating system counts. In a thread: reading /proc takes a millisecond each."""
        return await asyncio.to_thread(census, [pid for server in self.servers for pid in server.pids])

    async def start(self, port: int | None = None) -> Server:
        """One more instance; returns when it is ready."""
        port = port or free_port()
        server = Server(f"http://127.0.0.1:{port}", log=self.folder / f"server-{len(self.servers)}-{port}.log")
        self.servers.append(server)
        await self._launch(server, port)
        return server

    async def restart(self, server: Server) -> None:
        """Start a killed one again on its port; returns when it is ready."""
        if server.process:
            await asyncio.to_thread(server.process.wait)
        server.restarts += 1
        await self._launch(server, int(server.url.rsplit(":", 1)[1]))

    async def _launch(self, server: Server, port: int) -> None:
        log = server.log or self.folder / "server.log"
        starting = asyncio.ensure_future(
            asyncio.to_thread(_launched, self.recipe, port, self.database, self.model_url, log)
        )
        try:
            await asyncio.shield(starting)
        finally:  # also when interrupted: a process that nobody remembers would outlive the run
            server.process = await starting
        await wait_ready(server)

    async def metrics(self) -> Reading:
        """`/metrics` of all, added up; empty where a server has none."""
        async with aiohttp.ClientSession() as session:
            texts = await asyncio.gather(*(_metrics(session, server) for server in self.servers))
        return reading(texts)

    async def stop(self) -> list[int]:
        """All of them; their exit statuses."""
        return list(await asyncio.gather(*(server.stop() for server in self.servers)))


def _launched(recipe: Recipe, port: int, database: Database, model_url: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            recipe.arguments(port, database, model_url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,  # files of the agent's workspaces go where the logs are
            env=recipe.environment(),
            start_new_session=True,  # Ctrl-C reaches the instrument alone, which then stops it in order
        )


async def _metrics(session: aiohttp.ClientSession, server: Server) -> str:
    try:
        headers = {"X-API-Key": server.api_key}
        async with session.get(f"{server.url}/metrics", headers=headers, timeout=aiohttp.ClientTimeout(10)) as answer:
            return await answer.text() if answer.status == 200 else ""
    except (aiohttp.ClientError, TimeoutError):
        return ""


async def wait_ready(server: Server) -> None:
    """Until `/health/ready` answers 200. UnavailableError with the end of its log when it ends or takes a minute."""
    deadline = time.monotonic() + READY_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while time.monotonic() < deadline:
            if server.process and server.process.poll() is not None:
                raise await _failed(server, f"ended with status {server.process.returncode}")
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with session.get(f"{server.url}/health/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise await _failed(server, f"was not ready after {READY_S:.0f} s")


async def _failed(server: Server, what: str) -> UnavailableError:
    tail = (await asyncio.to_thread(server.log.read_text, errors="replace"))[-1_500:] if server.log else ""
    return UnavailableError(
        f"The server at {server.url} {what}.", hint=f"The end of its log: {tail.strip() or 'empty'}"
    )


@asynccontextmanager
async def fleet(
    recipe: Recipe, database: Database, model_url: str, folder: Path, instances: int = 1
) -> AsyncIterator[Fleet]:
    """So many instances on one database, ready; stopped at the end, whatever happened."""
    made = Fleet(recipe, database, model_url, folder)
    async with AsyncExitStack() as cleanup:
        cleanup.push_async_callback(made.stop)
        for _ in range(instances):
            await made.start()
        yield made
