"""Anything may be sent: over HTTP no answer is a server error, over a WebSocket no message ends the server."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.serve.servers import KEY, Running, running
from tests.serve.sockets import client
from tests.serve.tiny import tiny_agent
from tests.storages import Place

EXAMPLES = "6"  # of each operation, after those at the bounds of every field


@pytest.mark.timeout(300)
async def test_no_call_of_the_document_is_a_server_error(database: Place, tmp_path: Path) -> None:
    async with running(database, agent=tiny_agent, passwords__overall=100_000) as server:
        user = await server.user("ann")
        assert len((await server.http.get("/openapi.json")).json()["paths"]) > 20
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json"),
            *("--checks", "not_a_server_error", "--max-examples", EXAMPLES, "--seed", "1", "--no-color"),
            *("--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--request-timeout", "20"),
            *("--header", f"X-API-Key: {KEY}", "--header", f"Authorization: {user['authorization']}"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()[-8000:]
        assert b"not_a_server_error" in output or b"passed" in output


def _junk(rng: random.Random) -> str | bytes:
    """A message that is wrong in some way, or right."""
    kinds = ["connect", "start", "resume", "watch", "cancel", "ping", "nonsense", 7, None]
    values: list[Any] = [
        None,
        "",
        "s",
        "x" * 5000,
        -1,
        2**70,
        0,
        1.5,
        [],
        {},
        {"content": "hello"},
        "\ud83d\ude00",
        True,
    ]
    shape = rng.randrange(8)
    if shape == 0:
        return rng.randbytes(rng.randrange(200))
    if shape == 1:
        return "".join(chr(rng.randrange(32, 0x2FFF)) for _ in range(rng.randrange(100)))
    if shape == 2:
        return "[" * rng.randrange(2000)
    fields = ("content", "after_event_id", "session_id", "epoch", "protocol_version", "attachments", "history")
    payload = {name: rng.choice(values) for name in rng.sample(fields, rng.randrange(len(fields)))}
    message = {"type": rng.choice(kinds), "request_id": rng.choice(values), "session_id": rng.choice(values)}
    message["payload"] = payload if shape < 6 else rng.choice(values)
    return json.dumps({key: message[key] for key in rng.sample(list(message), rng.randrange(1, 5))})


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
async def test_no_message_ends_the_server(database: Place, seed: int) -> None:
    rng = random.Random(seed)
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        url = f"{server.ws_url}/wunder/chat/ws"
        sent = 0
        while sent < 300:
            async with connect(url, additional_headers=headers, compression=None) as connection:
                reading = asyncio.get_running_loop().create_task(_drain(connection))
                try:
                    for _ in range(rng.randrange(60)):
                        await connection.send(_junk(rng))
                        sent += 1
                except ConnectionClosed:
                    pass
                finally:
                    reading.cancel()
        await _still_works(server, headers)


async def _drain(connection: Any) -> None:
    async for message in connection:
        assert json.loads(message)["type"] in {"ready", "event", "error", "pong"}


async def _still_works(server: Running, headers: dict[str, str]) -> None:
    session_id = await server.session(headers)
    async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
        await ws.send("start", request_id="a", session_id=session_id, payload={"content": "hello"})
        await ws.until("final")


async def test_limits_hold(database: Place) -> None:
    limits = {"api__streams": 2, "api__streams_per_socket": 2, "api__message_bytes": 2000}
    async with running(database, agent=tiny_agent, **limits) as server:
        headers = await server.user("ann")
        session_id, url = await server.session(headers), f"{server.ws_url}/wunder/chat/ws"
        async with client(url, headers) as ws, client(url, headers) as other:
            for number in range(3):
                payload = {"after_event_id": 0}
                await ws.send("watch", request_id=f"w{number}", session_id=session_id, payload=payload)
            assert await ws.error() == "TOO_MANY_STREAMS"
            path = f"/wunder/chat/sessions/{session_id}/resume?after_event_id=0"
            refused = await server.http.get(path, headers=headers)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            await other.connection.send("x" * 3000)
            with pytest.raises(ConnectionClosed) as closed:
                await other.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        while len(server.server.api.streams):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await server.http.get(path, headers=headers)).status_code == 200
