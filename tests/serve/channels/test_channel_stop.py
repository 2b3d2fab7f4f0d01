"""A server that is told to stop while an answer is on its way to a channel: it arrives, or goes out again under its key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.serving import KEY, Instance, instance
from tests.storages import Place

MESSAGE = {"channel": "", "account_id": "", "peer": {"kind": "dm", "id": "p1"}, "type": "text", "text": "echo: hello"}
pytestmark = pytest.mark.timeout(90)


@dataclass
class Endpoint:
    """A channel's own server: takes a call, and answers once it may."""

    url: str = ""
    keys: list[str] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        self.keys.append(headers["idempotency-key"])
        self.called.set()
        try:
            await self.may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
            self.answered += 1
        finally:
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    async with await asyncio.start_server(endpoint.handle, "127.0.0.1", 0) as server:
        endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/out"
        yield endpoint
        endpoint.may_answer.set()


def settings_of(endpoint: Endpoint, drain_s: float) -> dict[str, str]:
    return {
        "channels__accounts": json.dumps({"sms": {"desk": {"outbound_url": endpoint.url}}}),
        "channels__allow_targets": '["127.0.0.0/8"]',
        "outbox__drain_s": str(drain_s),
    }


async def asked(there: Instance, endpoint: Endpoint) -> None:
    """A message came in, was answered, and the answer is on its way."""
    answer = await there.http.post("/wunder/channel/sms/webhook", json=MESSAGE, headers={"x-api-key": KEY})
    assert answer.json()["data"]["accepted"] == 1, answer.text
    await endpoint.called.wait()


async def test_a_send_under_way_is_finished_before_the_process_ends(place: Place, tmp_path: Path) -> None:
    async with listening() as endpoint:
        options = ("--profile", place.profile)
        async with instance(place.dsn, tmp_path, *options, **settings_of(endpoint, 20.0)) as there:
            await asked(there, endpoint)
            there.process.terminate()
            await asyncio.sleep(0.5)
            assert there.process.returncode is None  # it waits for the answer
            endpoint.may_answer.set()
            assert await there.process.wait() == 0
        async with instance(place.dsn, tmp_path, *options, **settings_of(endpoint, 20.0)):
            await asyncio.sleep(1.0)  # whatever was left would go out now
    assert len(endpoint.keys) == endpoint.answered == 1


async def test_a_send_that_takes_too_long_goes_out_again_under_its_key(database: Place, tmp_path: Path) -> None:
    async with listening() as endpoint:
        async with instance(database.dsn, tmp_path, **settings_of(endpoint, 0.2)) as there:
            await asked(there, endpoint)
            assert await there.stop() == 0
        endpoint.may_answer.set()
        endpoint.called.clear()
        async with instance(database.dsn, tmp_path, **settings_of(endpoint, 0.2)):
            await endpoint.called.wait()
    assert len(endpoint.keys) == 2
    assert len(set(endpoint.keys)) == 1
