"""A second user tries every address and every type of message with the first one's ids. Nothing leaks, nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serve.servers import Running, running
from tests.serve.sockets import client
from tests.serve.tiny import TinyRuns, tiny_agent
from tests.storages import Place

CALLS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/wunder/chat/sessions/{id}", None),
    ("GET", "/wunder/chat/sessions/{id}/events", None),
    ("GET", "/wunder/chat/sessions/{id}/resume", None),
    ("GET", "/wunder/chat/sessions/{id}/resume?after_event_id=0", None),
    ("POST", "/wunder/chat/sessions/{id}/messages", {"content": "hello"}),
    ("POST", "/wunder/chat/sessions/{id}/messages", {"content": "hello", "stream": False}),
    ("POST", "/wunder/chat/sessions/{id}/cancel", {}),
    ("POST", "/wunder/chat/sessions/{id}/tools", {"tool_overrides": ["x"]}),
    ("POST", "/wunder/chat/sessions/{id}/system-prompt", {}),
    ("DELETE", "/wunder/chat/sessions/{id}", None),
]
SECRET = "the first one's secret"


async def test_over_http(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        first, second = await server.user("ann"), await server.user("eve")
        session_id = await server.session(first)
        path = f"/wunder/chat/sessions/{session_id}"
        said = await server.http.post(f"{path}/messages", json={"content": SECRET, "stream": False}, headers=first)
        assert said.status_code == 200
        before = (await server.http.get(path, headers=first)).json()
        for number, (method, address, body) in enumerate(CALLS):
            for headers in (second, {}):
                answer = await server.http.request(method, address.format(id=session_id), json=body, headers=headers)
                assert answer.status_code == (404 if headers else 401), (method, address)
                unknown = await server.http.request(
                    method, address.format(id=f"nobodys-{number}"), json=body, headers=headers
                )
                if headers and "messages" not in address:  # a message to an unknown session makes it
                    assert unknown.status_code == answer.status_code
                assert SECRET not in answer.text
        listed = (await server.http.get("/wunder/chat/sessions", headers=second)).json()["data"]["items"]
        assert session_id not in [item["id"] for item in listed]
        v1 = {"messages": [{"role": "user", "content": "x"}], "metadata": {"session_id": session_id}}
        answer = await server.http.post("/v1/chat/completions", json=v1, headers=second)
        assert answer.status_code == 404
        assert (await server.http.get(path, headers=first)).json() == before


async def test_an_administrator_reads_no_other_users_chat(database: Place) -> None:
    changes = {"auth__admin_password": "admins password"}
    async with running(database, agent=tiny_agent, **changes) as server:
        session_id = await server.session(await server.user("ann"))
        login = {"username": "admin", "password": "admins password"}
        token = (await server.http.post("/wunder/auth/login", json=login)).json()["data"]["access_token"]
        admin = {"authorization": f"Bearer {token}"}
        assert (await server.http.get(f"/wunder/chat/sessions/{session_id}", headers=admin)).status_code == 404
        run = {"user_id": "ann", "question": "hello", "stream": False}  # but may ask on anyone's behalf
        assert (await server.http.post("/wunder", json=run, headers=admin)).status_code == 200


FRAMES: list[tuple[str, dict[str, Any]]] = [
    ("start", {"content": "hello"}),
    ("resume", {"after_event_id": 1}),
    ("watch", {"after_event_id": 0}),
    ("watch", {"after_event_id": 0, "history": "all"}),
    ("cancel", {}),
]


@pytest.mark.parametrize("place_of_id", ["envelope", "payload"])
async def test_over_a_websocket(database: Place, place_of_id: str) -> None:
    async with running(database, agent=tiny_agent) as server:
        first, second = await server.user("ann"), await server.user("eve")
        session_id = await server.session(first)
        url = f"{server.ws_url}/wunder/chat/ws"
        async with client(url, first) as owner, client(url, second) as eve:
            await owner.send("start", request_id="a", session_id=session_id, payload={"content": "slow:4"})
            await owner.until("llm_output_delta")
            for kind, payload in FRAMES:
                if place_of_id == "envelope":
                    await eve.send(kind, session_id=session_id, payload=payload)
                else:
                    await eve.send(kind, payload={**payload, "session_id": session_id})
                assert await eve.error() == "SESSION_NOT_FOUND"
            _open(server)
            final = await owner.until("final")  # nobody cancelled it
            assert final["payload"]["data"]["data"]["answer"] == "w0 w1 w2 w3 "
            await eve.send("ping")
            await eve.until("pong")
            assert {message["type"] for message in eve.seen} == {"ready", "error", "pong"}


def _open(server: Running) -> None:
    assert isinstance(server.server.runs, TinyRuns)
    server.server.runs.gate.set()
