"""kill -9 of a server over a run: another one takes it up, and whoever watches there sees each character once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from evenkeel.serve.agent.models.phrases import answer_to
from tests.storages import Place

QUESTION = "say 300 words"
SETTINGS = """
[agent.models.offline]
provider = "offline"
tokens_per_s = 40

[agent_queue]
lease_s = 3.0

[limiter]
lease_s = 30.0
"""


@dataclass(frozen=True)
class Server:
    """A process that serves."""

    process: asyncio.subprocess.Process
    url: str


@asynccontextmanager
async def server(place: Place, folder: Path) -> AsyncIterator[Server]:
    settings = folder / "serve.toml"
    settings.write_text(SETTINGS)
    where = ["--postgres", place.dsn] if place.is_postgres else ["--sqlite", place.dsn.removeprefix("sqlite:///")]
    arguments = ["-m", "evenkeel", "serve", "--config", str(settings), "--port", "0", *where]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "EVENKEEL_API_KEY": "key"},
    )
    assert process.stdout is not None
    said: list[str] = []
    reading: asyncio.Task[None] | None = None
    try:
        while not said or "evenkeel serves at " not in said[-1]:
            line = (await process.stdout.readline()).decode()
            assert line, "".join(said)
            said.append(line)
        url = next(word for word in said[-1].split() if word.startswith("http://"))
        reading = asyncio.create_task(_drained(process.stdout))
        yield Server(process, url)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if reading is not None:
            await reading


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


async def events(http: httpx2.AsyncClient, method: str, url: str, **more: Any) -> AsyncIterator[tuple[int, str, Any]]:
    """Id, name and inner data of each event of an SSE answer."""
    async with http.stream(method, url, timeout=60, **more) as response:
        assert response.status_code == 200, await response.aread()
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield int(fields.get("id", "0")), fields["event"], json.loads(fields["data"])["data"]
                fields = {}


def characters(seen: list[tuple[int, str, Any]]) -> str:
    """Deltas put together as a client does, each id once."""
    parts: dict[int, str] = {}
    for event_id, kind, data in seen:
        if kind == "llm_output_delta":
            for segment in data.get("segments", [{"event_id": event_id, **data}]):
                parts.setdefault(segment["event_id"], segment["delta"])
    return "".join(parts[event_id] for event_id in sorted(parts))


@pytest.mark.timeout(90)
@pytest.mark.blocking_allowed("starting processes")
async def test_a_killed_servers_run_goes_on_at_the_other(database: Place, tmp_path: Path) -> None:
    expected = answer_to(QUESTION, [], "offline")
    async with (
        server(database, tmp_path) as first,
        server(database, tmp_path) as second,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        account = {"username": "ann", "password": "correct horse battery"}
        registered = (await http.post(f"{first.url}/wunder/auth/register", json=account, timeout=30)).json()["data"]
        headers = {"authorization": f"Bearer {registered['access_token']}"}
        made = await http.post(f"{first.url}/wunder/chat/sessions", json={}, headers=headers, timeout=30)
        session = f"/wunder/chat/sessions/{made.json()['data']['id']}"

        shown = 0
        asked = events(http, "POST", f"{first.url}{session}/messages", json={"content": QUESTION}, headers=headers)
        async for _, kind, _ in asked:
            shown += kind == "llm_output_delta"
            if shown == 40:
                break
        await asked.aclose()  # type: ignore[attr-defined]

        seen: list[tuple[int, str, Any]] = []
        watching = events(http, "GET", f"{second.url}{session}/resume?after_event_id=0", headers=headers)
        async for event in watching:
            seen.append(event)
            if first.process.returncode is None and event[1] == "llm_output_delta":
                os.kill(first.process.pid, signal.SIGKILL)
                await first.process.wait()
            if event[1] in {"final", "error"}:
                break
        await watching.aclose()  # type: ignore[attr-defined]

        assert [event[0] for event in seen] == sorted({event[0] for event in seen})
        assert [data["attempt"] for _, kind, data in seen if data.get("stage") == "resume"] == [2]
        assert seen[-1][1] == "final"
        assert seen[-1][2]["answer"] == expected
        assert characters(seen) == expected

        detail = (await http.get(f"{second.url}{session}", headers=headers, timeout=30)).json()["data"]
        assert [(each["role"], each["content"]) for each in detail["messages"]] == [
            ("user", QUESTION),
            ("assistant", expected),
        ]
