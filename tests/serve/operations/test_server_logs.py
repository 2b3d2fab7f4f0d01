"""What a real server logs: lines that name request, session and user, and no secret, wherever one came in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults.serving import KEY, Instance, instance
from tests.storages import Place

MODEL_KEY, PASSWORD, CHANNEL_TOKEN = "model-key-7f3a", "a password of ann 7f3a", "channel-token-7f3a"
SECRETS = (KEY, MODEL_KEY, PASSWORD, CHANNEL_TOKEN)
pytestmark = pytest.mark.timeout(60)


async def unreliable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A model endpoint that answers nonsense."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 500 broken\r\ncontent-length: 6\r\nconnection: close\r\n\r\nbroken")
    await writer.drain()
    writer.close()


def lines(server: Instance) -> list[dict[str, Any]]:
    """The structured lines; the welcome stands before them."""
    return [json.loads(line) for line in server.said if line.startswith("{")]


async def test_a_failing_run_is_logged_with_its_request_and_session(database: Place, tmp_path: Path) -> None:
    async with await asyncio.start_server(unreliable, "127.0.0.1", 0) as endpoint:
        port = endpoint.sockets[0].getsockname()[1]
        model = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "api_key": MODEL_KEY, "retries": 0}
        settings = {
            "agent__model": "main",
            "agent__models": json.dumps({"main": model}),
            "operations__log_level": "debug",
            "channels__accounts": json.dumps({"sms": {"desk": {"inbound_token": CHANNEL_TOKEN}}}),
        }
        async with instance(database.dsn, tmp_path, **settings) as server:
            account = {"username": "ann", "password": PASSWORD}
            token = (await server.http.post("/wunder/auth/register", json=account)).json()["data"]["access_token"]
            await server.http.post("/wunder/auth/login", json={**account, "password": f"{PASSWORD}!"})
            headers = {"authorization": f"Bearer {token}", "cookie": f"session={PASSWORD}"}
            session_id = await server.session(headers)
            failed = await server.http.post(
                f"/wunder/chat/sessions/{session_id}/messages", json={"content": "hi"}, headers=headers
            )
            assert "event: error" in failed.text
            trace_id = failed.headers["x-trace-id"]
            await server.http.post(
                "/wunder/channel/sms/webhook", json={}, headers={"x-api-key": KEY, "x-channel-token": CHANNEL_TOKEN}
            )
            await server.http.get(f"/wunder/chat/sessions?access_token={token}")
            assert await server.stop() == 0
        logged = [line for line in lines(server) if line.get("session_id") == session_id]
        assert logged, server.said
        assert {line["trace_id"] for line in logged} == {trace_id}
        assert {line["user_id"] for line in logged} == {"ann"}
        assert any(line["level"] == "warning" for line in logged)
        everything = "".join(server.said)
        assert [secret for secret in (*SECRETS, token) if secret in everything] == []
