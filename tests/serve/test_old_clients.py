"""Clients of HTTP/1.0, and those that want their connection closed: no chunks, no upgrade, an end they can see."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass

import pytest

from tests.serve.servers import KEY, Running, running
from tests.serve.tiny import tiny_agent
from tests.storages import Place

QUESTION = json.dumps({"user_id": "ann", "question": "hello"}).encode()


@dataclass(frozen=True)
class Answer:
    """Everything that came until the server hung up."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def told(server: Running, request: bytes) -> Answer:
    """Send these bytes, read to the end of the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    line, *fields = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(b":") for each in fields)}
    return Answer(int(line.split()[1]), headers, body)


def asked(method: str, path: str, version: str, *fields: str, body: bytes = b"") -> bytes:
    sized = [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []
    lines = [f"{method} {path} HTTP/{version}", *fields, *sized, "", ""]
    return "\r\n".join(lines).encode() + body


API_KEY = f"X-API-Key: {KEY}"
CLOSE = ("Host: here", "Connection: close")


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",), ("Connection: close",)])
async def test_plain_answers_end_with_the_connection(database: Place, fields: tuple[str, ...]) -> None:
    async with running(database, agent=tiny_agent) as server:
        live = await told(server, asked("GET", "/health/live", "1.0", *fields))
        assert live.status == 200
        assert b"transfer-encoding" not in live.headers
        assert int(live.headers[b"content-length"]) == len(live.body)
        assert live.headers[b"connection"] == b"close"
        refused = await told(server, asked("GET", "/wunder/auth/me", "1.0", *fields))
        assert (refused.status, json.loads(refused.body)["error"]["code"]) == (401, "UNAUTHORIZED")
        missing = await told(server, asked("GET", "/nowhere", "1.0", *fields))
        assert (missing.status, json.loads(missing.body)["error"]["code"]) == (404, "NOT_FOUND")
        head = await told(server, asked("HEAD", "/health/live", "1.0", *fields))
        assert (head.status, head.body) == (200, b"")
        malformed = await told(server, asked("POST", "/wunder", "1.0", API_KEY, *fields, body=b"{"))
        assert malformed.status == 400


async def test_streams_have_no_chunks_for_who_cannot_read_them(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        answer = await told(server, asked("POST", "/wunder", "1.0", API_KEY, body=QUESTION))
        assert answer.status == 200
        assert answer.headers[b"content-type"].startswith(b"text/event-stream")
        assert not {b"transfer-encoding", b"content-length"} & set(answer.headers)
        assert answer.headers[b"connection"] == b"close"
        assert answer.body.startswith(b"event: ")
        events = answer.body.removesuffix(b"\n\n").split(b"\n\n")
        assert all(event.startswith((b"event: ", b":")) for event in events)
        assert events[-1].startswith(b"event: final")
        body = json.dumps({"messages": [{"role": "user", "content": "hello"}], "stream": True}).encode()
        completion = await told(server, asked("POST", "/v1/chat/completions", "1.0", API_KEY, body=body))
        assert completion.body.startswith(b"data: ")
        assert completion.body.endswith(b"data: [DONE]\n\n")


async def test_whoever_wants_the_connection_closed_gets_that(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        live = await told(server, asked("GET", "/health/live", "1.1", *CLOSE))
        assert live.headers[b"connection"] == b"close"
        answer = await told(server, asked("POST", "/wunder", "1.1", *CLOSE, API_KEY, body=QUESTION))
        assert answer.headers[b"transfer-encoding"] == b"chunked"
        assert answer.body.endswith(b"\r\n0\r\n\r\n")


async def test_an_old_client_is_neither_told_to_go_on_nor_upgraded(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        answer = await told(server, asked("POST", "/wunder", "1.0", API_KEY, "Expect: 100-continue", body=QUESTION))
        assert answer.status == 200
        assert answer.body.startswith(b"event: ")
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA")
        socket = await told(server, asked("GET", "/wunder/ws", "1.0", API_KEY, *upgrade))
        assert socket.status == 404


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_curl_reads_a_stream_by_http_1_0(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        command = ["curl", "-sSN", "--http1.0", f"{server.url}/wunder", "-H", API_KEY, "-d", QUESTION.decode()]
        curl = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        shown, _ = await curl.communicate()
        assert curl.returncode == 0
        assert shown.startswith(b"event: ")
        assert b"\nevent: final\n" in shown
