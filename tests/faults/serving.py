"""`evenkeel serve` as processes of their own, on one PostgreSQL database: started, asked, killed, told to stop."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

KEY = "the-servers-own-key"
SLOW = {"agent__models__offline__provider": "offline", "agent__models__offline__tokens_per_s": "60"}
CHEAP = {
    "passwords__memory_kib": "64",
    "passwords__time_cost": "1",
    "passwords__per_address": "10000",
    "passwords__overall": "10000",
}
START_S, STOP_S = 30.0, 40.0


@dataclass
class Instance:
    """A process that answers at `url`; `said` is what it has written to standard error so far."""

    process: asyncio.subprocess.Process
    url: str
    http: httpx2.AsyncClient
    said: list[str] = field(default_factory=list)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    async def user(self, name: str) -> dict[str, str]:
        """Register; the headers of the new user."""
        answer = await self.http.post("/wunder/auth/register", json={"username": name, "password": "secret words"})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['data']['access_token']}"}

    async def session(self, headers: dict[str, str]) -> str:
        """A new session of this user."""
        answer = await self.http.post("/wunder/chat/sessions", json={}, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["id"])

    async def start(self, headers: dict[str, str], session_id: str, question: str) -> None:
        """Begin a run and go away: it belongs to its session."""
        body = {"content": question}
        path = f"/wunder/chat/sessions/{session_id}/messages"
        async with self.http.stream("POST", path, json=body, headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if line.startswith("event: llm_output_delta"):
                    return
        raise AssertionError("the run said nothing")

    async def messages(self, headers: dict[str, str], session_id: str) -> list[dict[str, Any]]:
        """The stored history, as a client gets it."""
        answer = await self.http.get(f"/wunder/chat/sessions/{session_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["messages"]
        return found

    async def figure(self, name: str) -> float:
        """The sum of a metric over its labels."""
        answer = await self.http.get("/metrics", headers={"x-api-key": KEY})
        assert answer.status_code == 200, answer.text
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", answer.text, re.MULTILINE)
        return sum(map(float, found))

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    async def stop(self) -> int:
        """Told to stop; the exit status once it is gone."""
        self.process.terminate()
        async with asyncio.timeout(STOP_S):
            return await self.process.wait()


@asynccontextmanager
async def instance(dsn: str, folder: Path, *options: str, **settings: str) -> AsyncIterator[Instance]:
    """Started and ready. `settings` by section and key, two underscores between them."""
    place = ("--sqlite", dsn.removeprefix("sqlite:///")) if dsn.startswith("sqlite") else ("--postgres", dsn)
    command = [sys.executable, "-m", "evenkeel", "serve", "--port", "0", *place, *options]
    process = await asyncio.create_subprocess_exec(
        *command, env=_environment(folder, settings), stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    said: list[str] = []
    heard: asyncio.Queue[str] = asyncio.Queue()
    reading = asyncio.get_running_loop().create_task(_read(process, said, heard))
    try:
        async with asyncio.timeout(START_S):
            url = await _address(heard, said)
        async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            yield Instance(process, url, http, said)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
        await reading


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    given = {**CHEAP, "agent__workspace__root": str(folder / "workspaces"), **settings}
    named = {f"EVENKEEL_{key.upper()}": value for key, value in given.items()}
    return {**os.environ, "EVENKEEL_API_KEY": KEY, **named}


async def _read(process: asyncio.subprocess.Process, said: list[str], heard: asyncio.Queue[str]) -> None:
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        said.append(line)
        heard.put_nowait(line)
    heard.put_nowait("")


async def _address(heard: asyncio.Queue[str], said: list[str]) -> str:
    while line := await heard.get():
        found = re.match(r"evenkeel serves at (\S+)", line)
        if found:
            return found.group(1)
    raise AssertionError("".join(said))
