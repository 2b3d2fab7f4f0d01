"""A real server in this process: uvicorn as hosting starts it, on a loopback port, over a database of the test's own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from evenkeel.serve.app import AgentBuilder, Server, open_server, the_agent
from evenkeel.serve.family import reserved
from evenkeel.serve.hosting import InOrder, uvicorn_config
from evenkeel.serve.settings import Settings, read_settings
from tests.storages import Place

KEY = "the-servers-key"
CHEAP = {
    "passwords.memory_kib": 64,
    "passwords.time_cost": 1,
    "passwords.per_address": 10_000,
    "storage.synchronous": "normal",  # no test cuts the power
}


@dataclass(frozen=True)
class Running:
    """A server that answers at `url`; `http` asks it."""

    server: Server
    url: str
    http: httpx2.AsyncClient
    settings: Settings

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    async def user(self, name: str, password: str = "secret words") -> dict[str, str]:
        """Register; the headers of the new user."""
        answer = await self.http.post("/wunder/auth/register", json={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['data']['access_token']}"}

    async def session(self, headers: dict[str, str]) -> str:
        """A new session of this user."""
        answer = await self.http.post("/wunder/chat/sessions", json={}, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["id"])


@asynccontextmanager
async def running(place: Place, *, agent: AgentBuilder = the_agent, **changes: Any) -> AsyncIterator[Running]:
    """Open a server and serve it. `changes`: settings by path, dots as double underscores."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-files-") as files:
        async with _running(place, agent, {"agent.workspace.root": files, **changes}) as found:
            yield found


@asynccontextmanager
async def _running(place: Place, agent: AgentBuilder, changes: dict[str, Any]) -> AsyncIterator[Running]:
    flags = {"storage.dsn": place.dsn, "profile": place.profile, "auth.api_key": KEY, **CHEAP}
    flags |= {key.replace("__", "."): value for key, value in changes.items()}
    settings = read_settings(None, {}, flags)
    listening = reserved("127.0.0.1", 0, shared=False)
    listening.setblocking(False)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with open_server(settings, agent=agent) as server:
        await server.api.accounts.prepare_first_admin()
        uvicorn_server = InOrder(uvicorn_config(settings, server), server)
        serving = asyncio.get_running_loop().create_task(uvicorn_server._serve([listening]))
        try:
            async with httpx2.AsyncClient(base_url=url, timeout=15) as http:
                while not uvicorn_server.started:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                yield Running(server, url, http, settings)
        finally:
            uvicorn_server.should_exit = True
            await serving
