"""The contract over WebSockets, on both databases and both paths."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.serve.reading import kinds, said, stored_ids
from tests.serve.servers import KEY, Running, running
from tests.serve.sockets import Client, client
from tests.serve.tiny import TinyRuns, tiny_agent
from tests.storages import Place


def open_gate(server: Running) -> None:
    assert isinstance(server.server.runs, TinyRuns)
    server.server.runs.gate.set()


async def begun(ws: Client, session_id: str, words: int, request_id: str = "a") -> None:
    """Start a run that waits in the middle, and see its first word."""
    payload = {"content": f"slow:{words}"}
    await ws.send("start", request_id=request_id, session_id=session_id, payload=payload)
    await ws.until("llm_output_delta", request_id=request_id)


async def idle(server: Running, session_id: str) -> None:
    """A cancelled run's last word comes before its lease is given back."""
    while (await server.server.runs.states([session_id]))[session_id].active:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_run_from_start_to_end(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("connect", request_id="c", payload={"protocol_version": 1, "client": {"name": "test"}})
            again = await ws.next()
            assert (again["type"], again.get("request_id")) == ("ready", "c"), again
            await ws.send("start", request_id="a", session_id=session_id, payload={"content": "hello"})
            final = await ws.until("final", request_id="a", session_id=session_id)
            assert final["payload"]["data"]["data"]["answer"] == "Once upon a time."
            events = ws.events("a")
            assert [kind for kind in kinds(events) if kind != "token_usage"] == [
                "progress",
                "llm_output_delta",
                "final",
            ]
            assert said(events) == "Once upon a time."
            assert stored_ids(events) == sorted(set(stored_ids(events)))


@pytest.mark.parametrize("way", ["header", "subprotocol", "query"])
async def test_ways_to_show_a_token(database: Place, way: str) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        token = headers["authorization"].split()[1]
        url = f"{server.ws_url}/wunder/chat/ws"
        if way == "header":
            opened = connect(url, additional_headers=headers)
        elif way == "subprotocol":
            opened = connect(url, subprotocols=["wunder", f"wunder-auth.{token}"])  # type: ignore[list-item]
        else:
            opened = connect(f"{url}?access_token={token}")
        async with opened as connection:
            assert json.loads(await connection.recv())["type"] == "ready"
            assert connection.subprotocol == ("wunder" if way == "subprotocol" else None)


async def test_an_upgrade_without_a_token_is_answered_as_http(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        for path in ("/wunder/chat/ws", "/wunder/chat/ws?token=guess", f"/wunder/ws?token={KEY}"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{server.ws_url}{path}")
            assert refused.value.response.status_code == 401
            assert json.loads(refused.value.response.body)["error"]["code"] == "UNAUTHORIZED"


async def test_many_streams_share_a_connection(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        sessions = [await server.session(headers) for _ in range(5)]
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            for number, session_id in enumerate(sessions):
                await begun(ws, session_id, 6, f"r{number}")
            open_gate(server)
            for _ in sessions:
                await ws.until("final")
            for number in range(5):
                assert said(ws.events(f"r{number}")) == "w0 w1 w2 w3 w4 w5 "


async def test_resume_and_watch_go_on_from_a_cursor_without_a_doubled_character(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        url = f"{server.ws_url}/wunder/chat/ws"
        async with client(url, headers) as first:
            await begun(first, session_id, 20)
            while len(said(first.events("a"))) < 12:
                await first.next()
            seen = first.events("a")
        cursor = max(stored_ids(seen))  # the connection is gone, the run is not
        async with client(url, headers) as second:
            for kind in ("resume", "watch"):
                place_ = {"after_event_id": cursor}
                await second.send(kind, request_id=kind, session_id=session_id, payload=place_)
            open_gate(server)
            for kind in ("resume", "watch"):
                if not any(event["event"] == "final" for event in second.events(kind)):
                    await second.until("final", request_id=kind)
                whole = seen + second.events(kind)
                assert said(whole) == "".join(f"w{index} " for index in range(20))
                assert stored_ids(whole) == sorted(set(stored_ids(whole)))


async def test_a_watch_stays_and_sees_the_next_turn(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("watch", request_id="w", session_id=session_id, payload={"after_event_id": 0})
            for _ in range(2):
                path = f"/wunder/chat/sessions/{session_id}/messages"
                answer = await server.http.post(path, json={"content": "hello", "stream": False}, headers=headers)
                assert answer.json()["data"]["answer"] == "Once upon a time."
                await ws.until("final", request_id="w")
            assert said(ws.events("w")) == "Once upon a time." * 2


async def test_a_watch_without_a_cursor_shows_the_turn_at_work_and_nothing_older(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        path = f"/wunder/chat/sessions/{session_id}/messages"
        await server.http.post(path, json={"content": "hello", "stream": False}, headers=headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await begun(ws, session_id, 4)
            await ws.send("watch", request_id="w", session_id=session_id, payload={"after_event_id": 0})
            await ws.until("llm_output_delta", request_id="w")
            open_gate(server)
            await ws.until("final", request_id="w")
            assert said(ws.events("w")) == "w0 w1 w2 w3 "


async def test_cancel_ends_a_run_and_disconnecting_does_not(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("watch", request_id="w", session_id=session_id, payload={"after_event_id": 0})
            await begun(ws, session_id, 4)
            await ws.send("cancel", request_id="a")
            event = await ws.until("error", request_id="w")
            assert event["payload"]["data"]["data"]["code"] == "CANCELLED"
            assert [each["event"] for each in ws.events("a")][-1] != "error"  # after a cancel its stream is silent
            await idle(server, session_id)
            await begun(ws, session_id, 4, "b")
            await ws.send("cancel", session_id=session_id)  # its own stream and the watch end, too
            await ws.send("ping")
            assert (await ws.until("pong"))["payload"].keys() == {"ts"}
            answer = await server.http.get(f"/wunder/chat/sessions/{session_id}/events", headers=headers)
            last = answer.json()["data"]["rounds"][-1]["events"][-1]
            assert (last["event"], last["data"]["code"]) == ("error", "CANCELLED")


async def test_a_busy_session_queues_and_says_so(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await begun(ws, session_id, 4)
            await ws.send("start", request_id="b", session_id=session_id, payload={"content": "more"})
            await ws.until("final", request_id="b")
            queued, final = ws.events("b")
            assert (queued["event"], queued["id"], queued["data"]["queued"]) == ("queued", None, True)
            assert final == {"event": "final", "id": None, "data": queued["data"]}


MISTAKES = [
    ("not json", "INVALID_JSON"),
    ("[]", "INVALID_JSON"),
    ('{"request_id": "x"}', "INVALID_JSON"),
    ('{"type": "dance"}', "UNSUPPORTED_TYPE"),
    ('{"type": "start"}', "PAYLOAD_REQUIRED"),
    ('{"type": "start", "payload": 7}', "INVALID_PAYLOAD"),
    ('{"type": "START", "payload": {"content": "x"}}', "SESSION_REQUIRED"),
    ('{"type": "start", "session_id": "s", "payload": {"content": " "}}', "QUESTION_REQUIRED"),
    ('{"type": "resume", "payload": {"after_event_id": 1}}', "SESSION_REQUIRED"),
    ('{"type": "resume", "session_id": "nobodys", "payload": {"after_event_id": 1}}', "SESSION_NOT_FOUND"),
    ('{"type": "resume", "session_id": "%s", "payload": {"after_event_id": 0}}', "AFTER_EVENT_ID_REQUIRED"),
    ('{"type": "cancel"}', "SESSION_REQUIRED"),
    ('{"type": "connect"}', "ALREADY_CONNECTED"),
]


async def test_mistakes_have_codes_and_end_nothing(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("connect")
            await ws.until("ready")
            for text, code in MISTAKES:
                await ws.connection.send(text.replace("%s", session_id))
                assert await ws.error() == code, text
            await ws.connection.send(b"bytes")
            assert await ws.error() == "INVALID_JSON"
            await ws.send("ping")
            await ws.until("pong")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"protocol_version": 2}, "PROTOCOL_MISMATCH"),
        ({"min_protocol_version": 3, "max_protocol_version": 2}, "INVALID_PROTOCOL_RANGE"),
    ],
)
async def test_another_protocol_ends_the_connection(database: Place, payload: dict[str, int], code: str) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("connect", payload=payload)
            assert await ws.error() == code
            with pytest.raises(ConnectionClosed):
                await ws.next()


async def test_the_core_socket_acts_for_a_user(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        key = {"x-api-key": KEY}
        async with client(f"{server.ws_url}/wunder/ws?user_id=bob", key) as ws:
            assert ws.seen[0]["payload"]["features"]["watch"] is False
            await ws.send("start", request_id="a", payload={"question": "hello"})
            final = await ws.until("final", request_id="a")
            session_id = final["session_id"]
            await ws.send("watch", session_id=session_id, payload={"after_event_id": 0})
            assert await ws.error() == "UNSUPPORTED_TYPE"
            await ws.send("start", request_id="b", payload={"question": " "})
            assert await ws.error() == "QUESTION_REQUIRED"
            start = {"question": "x", "user_id": "eve", "session_id": session_id}
            await ws.send("start", request_id="c", payload=start)
            assert await ws.error() == "PERMISSION_DENIED"
        async with client(f"{server.ws_url}/wunder/ws", key) as ws:
            await ws.send("start", request_id="a", payload={"question": "hello"})
            assert await ws.error() == "UNAUTHORIZED"


async def test_a_client_that_reads_slowly_loses_nothing_and_stops_nobody(database: Place) -> None:
    """A small window at the client, so that the server must wait for it; another client reads at its own pace."""
    words = 3_000
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id, url = await server.session(headers), f"{server.ws_url}/wunder/chat/ws"
        async with client(url, headers, max_queue=1) as slow, client(url, headers) as quick:
            for ws in (slow, quick):
                await ws.send("watch", request_id="w", session_id=session_id, payload={"after_event_id": 0})
            await begun(quick, session_id, words)
            open_gate(server)
            await quick.until("final", request_id="a")
            await asyncio.wait_for(slow.until("final"), 15)
            expected = "".join(f"w{index} " for index in range(words))
            assert said(quick.events("a")) == expected
            assert said(slow.events("w")) == expected
            assert stored_ids(slow.events("w")) == sorted(set(stored_ids(slow.events("w"))))
