"""The simulated model as a process of its own, and what it has served."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, cast

import aiohttp
import msgspec

from evenkeel.kernel.errors import UnavailableError
from evenkeel.prove.load.script import Pace
from evenkeel.prove.load.simulator import Call, Calls

_CALLS = msgspec.json.Decoder(Calls)


@dataclass
class Simulator:
    """A running simulator. `served` collects what `fetch` brought, by turn."""

    url: str
    pid: int
    session: aiohttp.ClientSession
    served: dict[str, list[Call]] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    under_way: frozenset[str] = frozenset()  # turns that it was answering at the last `fetch`
    after: int = 0
    cpu_s: float = 0.0
    _began: tuple[float, float] = (0.0, 0.0)

    @property
    def model_url(self) -> str:
        """What a server is given."""
        return f"{self.url}/v1"

    async def begin(self) -> None:
        """Forget what was before this run."""
        await self.fetch()
        self.served.clear()
        self.lags.clear()
        self._began = (time.monotonic(), self.cpu_s)

    async def fetch(self) -> Calls:
        """Bring what was served since the last time."""
        while True:
            async with self.session.get(f"{self.url}/prove/calls?after={self.after}") as answer:
                news = _CALLS.decode(await answer.read())
            self.after, self.cpu_s = news.next, news.cpu_s
            self.lags.extend(news.lags)
            self.under_way = frozenset(news.under_way)
            for call in news.calls:
                self.served.setdefault(call.turn, []).append(call)
            if len(news.calls) < 20_000:
                return news

    async def release(self, gate: str) -> None:
        """Let go of the answers that wait."""
        async with self.session.get(f"{self.url}/prove/release?gate={gate}") as answer:
            await answer.read()

    def cpu_share(self) -> float:
        """Of one core, since `begin`."""
        began, cpu = self._began
        return (self.cpu_s - cpu) / max(1e-9, time.monotonic() - began)


@asynccontextmanager
async def simulator(pace: Pace, seed: int, port: int = 0) -> AsyncIterator[Simulator]:
    """A simulator for as long as the block runs; it ends with this process too."""
    command = [
        sys.executable, "-m", "evenkeel.prove.load.simulator", "--port", str(port), "--seed", str(seed),
        "--pace", msgspec.json.encode(asdict(pace)).decode(),
    ]  # fmt: skip
    process = await asyncio.to_thread(_launched, command)
    output, guard = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stdin)
    try:
        line = await asyncio.wait_for(asyncio.to_thread(output.readline), 30)
        if not line:
            raise UnavailableError("The model simulator did not start.", hint=f"Is port {port} free?")
        async with aiohttp.ClientSession() as session:
            yield Simulator(f"http://127.0.0.1:{int(line)}", process.pid, session)
    finally:
        guard.close()
        await asyncio.to_thread(_ended, process)
        output.close()


def _launched(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
