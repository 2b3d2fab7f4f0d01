"""The head of a request is bounded, in size and in time: whoever has not said who they are holds no memory and no place."""

from __future__ import annotations

import asyncio
import json

import pytest

from evenkeel.serve import lean_protocols
from evenkeel.serve.lean_protocols import HEAD_BYTES
from tests.serve.servers import running
from tests.serve.tiny import tiny_agent
from tests.storages import Place

START = b"GET /health/live HTTP/1.1\r\nHost: here\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "


class Talk:
    """One connection, spoken to in bytes."""

    def __init__(self, url: str) -> None:
        self._address = url.removeprefix("http://").split(":")

    async def __aenter__(self) -> Talk:
        self.reader, self.writer = await asyncio.open_connection(self._address[0], int(self._address[1]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def say(self, data: bytes) -> bool:
        """Send, and give the server a turn; False = it has hung up."""
        try:
            self.writer.write(data)
            await self.writer.drain()
            await asyncio.sleep(0.001)
        except ConnectionError:
            return False
        return True

    async def status(self) -> int:
        """Of the next answer, whose body is read too."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        await self.reader.readexactly(int(size.partition(b":")[2]))
        return int(head.split()[1])


@pytest.mark.parametrize(
    "begin", [b"GET / HTTP/1.1\r\nX: ", b"GET /", START + UPGRADE], ids=["header", "line", "upgrade"]
)
async def test_a_head_without_an_end_is_cut_off(database: Place, begin: bytes) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        assert await talk.say(begin)
        sent = 0
        while await talk.say(b"a" * 8_192):
            sent += 8_192
            assert sent < 40 * HEAD_BYTES
        assert (await server.http.get("/health/live")).status_code == 200


async def test_the_answer_says_why(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        await talk.say(START + b"X: " + b"a" * HEAD_BYTES)
        await talk.say(b"a")
        await talk.say(b"a")
        assert await talk.status() == 431
        assert await talk.reader.read() == b""


async def test_a_large_head_within_the_bound_is_read(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        for _ in range(3):  # on one connection: each has a bound of its own
            await talk.say(START)
            for number in range(6):
                await talk.say(b"X-%d: %s\r\n" % (number, b"a" * 8_000))
            await talk.say(b"\r\n")
            assert await talk.status() == 200


async def test_a_body_is_no_head(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        body = json.dumps({"username": "x" * 4 * HEAD_BYTES, "password": "y"}).encode()
        await talk.say(b"POST /wunder/auth/login HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 32_768):
            await talk.say(body[at : at + 32_768])
        assert await talk.status() in {400, 401, 422}


@pytest.mark.parametrize("begin", [b"", START, b"\r\n"], ids=["nothing", "half", "blank"])
async def test_a_head_that_takes_too_long_is_not_waited_for(
    database: Place, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(lean_protocols, "HEAD_S", 0.1)
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        await talk.say(begin)
        assert await talk.status() == 408
        assert await talk.reader.read() == b""


async def test_the_second_head_of_a_connection_may_not_take_longer(
    database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        await talk.say(START + b"\r\n")
        assert await talk.status() == 200
        monkeypatch.setattr(lean_protocols, "HEAD_S", 0.1)
        await talk.say(START)
        assert await talk.status() == 408


@pytest.mark.parametrize("address", ["/wunder/chat/ws?token=\u00e9", "/\u2603"])
async def test_an_upgrade_at_an_address_that_is_none(database: Place, address: str) -> None:
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        key = b"AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        await talk.say(b"GET " + address.encode() + b" HTTP/1.1\r\nHost: here\r\n" + UPGRADE + key)
        assert await talk.status() == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Version: 13", b"Version: 12"), 400),
        ((b"GET", b"POST"), 405),
        ((b"Sec-WebSocket-Key", b"X-Key"), 400),
        ((b"AAAA==", b"AAAA"), 400),
    ],
    ids=["version", "method", "no-key", "short-key"],
)
async def test_a_handshake_that_is_wrong_is_refused(database: Place, change: tuple[bytes, bytes], status: int) -> None:
    """The request is read once, by the HTTP side; what it must hold is still asked of `websockets`."""
    async with running(database, agent=tiny_agent) as server, Talk(server.url) as talk:
        key = b"AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        await talk.say((b"GET /wunder/chat/ws HTTP/1.1\r\nHost: here\r\n" + UPGRADE + key).replace(*change))
        assert await talk.status() == status
