"""Whoever cancels a run in the moment in which it begins, its asker hears of an end, and the session is free (lesson i)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.serve.servers import Running, running
from tests.storages import Place

MODEL = {"offline": {"provider": "offline", "tokens_per_s": 100, "first_token_s": 0.2}}


async def asked_and_cancelled(server: Running, headers: dict[str, str], after_s: float) -> str:
    """The kind of the last event that the asker hears."""
    session = await server.session(headers)
    start = {"type": "start", "request_id": "r", "session_id": session, "payload": {"content": "say 300 words"}}
    async with websockets.connect(f"{server.ws_url}/wunder/chat/ws", additional_headers=headers) as socket:
        await socket.recv()
        await socket.send(json.dumps(start))
        await asyncio.sleep(after_s)
        await server.http.post(f"/wunder/chat/sessions/{session}/cancel", headers=headers)
        async with asyncio.timeout(10):
            while True:
                message: dict[str, Any] = json.loads(await socket.recv())
                kind = str(message["payload"].get("event") or message["type"])
                if kind == "error":
                    return kind
                if kind == "final":  # it was cancelled before it was asked for: nothing was there to cancel
                    return kind


@pytest.mark.timeout(60)
async def test_the_asker_always_hears_of_an_end(place: Place, tmp_path: Path) -> None:
    async with running(place, agent__models=MODEL, agent__workspace__root=str(tmp_path)) as server:
        headers = await server.user("ann")
        ends = await asyncio.gather(*(asked_and_cancelled(server, headers, number * 0.004) for number in range(16)))
        assert set(ends) <= {"error", "final"}
        assert ends.count("error") >= 8
        session = await server.session(headers)
        answer = await server.http.post(
            f"/wunder/chat/sessions/{session}/messages",
            json={"content": "echo: free", "stream": False},
            headers=headers,
        )
        assert answer.json()["data"]["answer"] == "free"
