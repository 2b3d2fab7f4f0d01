"""Details of the contract that clients of others rely on, found by driving the server with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Queued, Runs
from evenkeel.serve.settings import Settings
from tests.serve.reading import kinds, said, sse
from tests.serve.servers import KEY, Running, running
from tests.serve.sockets import client
from tests.serve.tiny import TinyRuns, tiny_agent
from tests.storages import Place

OPERATOR = {"x-api-key": KEY}


@dataclass
class OverAtOnce(TinyRuns):
    """Says its last word, and the queue says something after it, before anybody reads. `asked` = what came."""

    asked: list[RunRequest] = field(default_factory=list)

    async def submit(self, request: RunRequest) -> Begun | Queued:
        self.asked.append(request)
        parts, session_id = self.parts, request.session_id or "s"
        await parts.storage.sessions.ensure(NewSession(session_id, request.user_id, ""))
        subscription = await parts.bus.subscribe(None, session_id)
        run = await parts.writer.begin(session_id, request.user_id)
        await run.emit(Draft("llm_output_delta", {"delta": "all"}, text_bytes=3))
        answer = {"answer": "all", "usage": {"total_tokens": 1}, "stop_reason": "model_response"}
        await run.emit(Draft("final", answer, terminal=True))
        await run.close()
        await parts.writer.say(session_id, request.user_id, Draft("queue_finish", {}))
        return Begun(session_id, 1, subscription)


@asynccontextmanager
async def over_at_once(parts: Parts, _settings: Settings, _replies: Replies) -> AsyncIterator[Runs]:
    async with parts.open_tasks():
        yield OverAtOnce(parts)


async def test_a_stream_of_a_run_ends_with_its_last_word(place: Place) -> None:
    """What follows in the session is the next run's; it came along where it was there before the reader was."""
    async with running(place, agent=over_at_once) as server:
        headers = await server.user("ann")
        path = f"/wunder/chat/sessions/{await server.session(headers)}"
        events = sse((await server.http.post(f"{path}/messages", json={"content": "x"}, headers=headers)).text)
        assert kinds(events) == ["llm_output_delta", "final"]
        events = sse((await server.http.get(f"{path}/resume?after_event_id=1", headers=headers)).text)
        assert kinds(events)[-1] == "queue_finish"  # a resume shows the session


async def test_a_cursor_beyond_the_end_silences_no_session(place: Place) -> None:
    async with running(place) as server:
        headers = await server.user("ann")
        path = f"/wunder/chat/sessions/{await server.session(headers)}"
        await server.http.post(f"{path}/messages", json={"content": "echo: one"}, headers=headers)
        assert (await server.http.get(f"{path}/resume?after_event_id=100000", headers=headers)).text == ""
        events = sse((await server.http.post(f"{path}/messages", json={"content": "echo: two"}, headers=headers)).text)
        assert said(events) == "two"


async def test_a_question_to_the_user_stands_in_its_message(database: Place) -> None:
    async with running(database) as server:
        headers = await server.user("ann")
        path = f"/wunder/chat/sessions/{await server.session(headers)}"
        await server.http.post(f"{path}/messages", json={"content": "ask me: Which way?"}, headers=headers)
        messages = (await server.http.get(path, headers=headers)).json()["data"]["messages"]
        assert messages[-1]["content"] == "Which way?"
        assert [route["label"] for route in messages[-1]["questionPanel"]["routes"]] == ["yes", "no"]
        assert "questionPanel" not in messages[0]


async def test_who_logs_in_has_logged_in(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        body = {"username": "ann", "password": "secret words"}
        for way in ("register", "login"):
            user = (await server.http.post(f"/wunder/auth/{way}", json=body)).json()["data"]["user"]
            assert user["last_login_at"] >= user["created_at"]


HEADS = {
    "/health/live": 200, "/health/ready": 200, "/metrics": 200, "/wunder/i18n": 200, "/openapi.json": 200, "/": 200,
    "/wunder/nothing": 401, "/wunder/auth/me": 401, "/elsewhere": 404, "/wunder/chat/sessions/none": 401,
}  # fmt: skip


async def test_head_is_answered_as_get_without_a_body(database: Place) -> None:
    """Probes of load balancers ask so."""
    async with running(database, agent=tiny_agent) as server:
        for path, status in HEADS.items():
            answer = await server.http.head(path)
            assert (answer.status_code, answer.content) == (status, b""), path
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("start", request_id="a", session_id=session_id, payload={"content": "slow:4"})
            await ws.until("progress")
            path = f"/wunder/chat/sessions/{session_id}/resume?after_event_id=0"
            assert (await server.http.head(path, headers=headers)).status_code == 200  # and does not stay


async def test_a_byte_order_mark_is_passed_over(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        body = b'\xef\xbb\xbf{"user_id": "ann", "question": "x", "stream": false}'
        assert (await server.http.post("/wunder", content=body, headers=OPERATOR)).status_code == 200
        async with client(f"{server.ws_url}/wunder/ws?user_id=ann", OPERATOR) as ws:
            await ws.connection.send('\ufeff{"type": "ping"}')
            await ws.until("pong")


async def test_fields_of_an_attachment_may_be_null(database: Place) -> None:
    async with running(database, agent=over_at_once) as server:
        files = [{"name": None, "content": "text", "content_type": None}, {}]
        body = {"user_id": "ann", "question": "x", "attachments": files}
        assert (await server.http.post("/wunder", json=body, headers=OPERATOR)).status_code == 200
        asked = _runs(server).asked[-1]
        assert [(each.name, each.content, each.content_type) for each in asked.attachments] == [
            ("", "text", ""),
            ("", "", ""),
        ]


async def test_a_channels_token_comes_under_any_case_of_its_scheme(database: Place) -> None:
    accounts = {"sms": {"desk": {"inbound_token": "tok"}}}
    async with running(database, channels__accounts=accounts) as server:
        message = {"channel": "", "account_id": "", "peer": {"kind": "dm", "id": "p"}, "type": "text", "text": "hi"}
        for given, status in {"Bearer tok": 200, "bearer tok": 200, "tok": 200, "bearer nope": 401, "": 401}.items():
            headers = {**OPERATOR, "authorization": given}
            answer = await server.http.post("/wunder/channel/sms/webhook", json=message, headers=headers)
            assert answer.status_code == status, given


# over WebSockets


async def test_a_cancel_by_request_goes_no_further_than_its_request(place: Place) -> None:
    """A request that has ended is not the run that its session does now, whatever session the message names."""
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.send("start", request_id="a", session_id=session_id, payload={"content": "slow:4"})
            await ws.until("progress", request_id="a")
            await ws.send("cancel", request_id="ended", session_id=session_id)
            await ws.send("ping")
            await ws.until("pong")
            runs = server.server.runs
            assert isinstance(runs, TinyRuns)
            runs.gate.set()
            await ws.until("final", request_id="a")


async def test_a_watch_without_a_cursor_begins_at_0(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            inner = {"session_id": session_id, "after_event_id": -1}
            await ws.send("watch", request_id="w", session_id=session_id)
            await ws.send("watch", request_id="v", session_id=" ", payload=inner)  # a blank one counts as none
            await ws.send("start", request_id="a", session_id=session_id, payload={"content": "x"})
            ended: set[str] = set()
            while not {"v", "w"} <= ended:
                ended.add((await ws.until("final"))["request_id"])


@pytest.mark.parametrize("first", ['{"type": "start"}', '{"type": "dance"}', '{"type": "cancel"}'])
async def test_connect_comes_before_anything_else(database: Place, first: str) -> None:
    async with running(database, agent=tiny_agent) as server:
        headers = await server.user("ann")
        async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
            await ws.connection.send(first)
            await ws.error()
            await ws.send("connect")
            assert await ws.error() == "ALREADY_CONNECTED"


# over the API of OpenAI


def _runs(server: Running) -> OverAtOnce:
    runs = server.server.runs
    assert isinstance(runs, OverAtOnce)
    return runs


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


async def complete(server: Running, **body: Any) -> Any:
    asked = {"model": "evenkeel", "messages": [{"role": "user", "content": "hi"}], **body}
    return await server.http.post("/v1/chat/completions", json=asked, headers=OPERATOR)


async def test_a_completion_says_what_it_wants_of_its_model(database: Place) -> None:
    async with running(database, agent=over_at_once) as server:
        parts = [{"type": "text", "text": "look"}, PICTURE]
        messages = [{"role": "user", "content": parts}]
        await complete(server, temperature=0.2, max_tokens=9, max_completion_tokens=7, stop="END", messages=messages)
        asked = _runs(server).asked[-1]
        wanted = {"temperature": 0.2, "max_tokens": 7, "stop": ("END",)}
        assert asked.config_overrides == {"models": {"offline": wanted}}
        assert [each.content for each in asked.attachments] == [PICTURE["image_url"]["url"]]  # type: ignore[index]
        await complete(server)
        assert _runs(server).asked[-1].config_overrides == {}


async def test_what_the_agent_is_given_of_a_completion_it_takes(database: Place) -> None:
    async with running(database) as server:
        messages = [{"role": "user", "content": "echo: hi"}]
        answer = await complete(server, temperature=0.2, max_tokens=9, stop=["END"], messages=messages)
        assert answer.json()["choices"][0]["message"]["content"] == "hi"
        assert (await complete(server, temperature=9)).status_code == 400


REFUSED: list[tuple[dict[str, Any] | bytes, int]] = [
    (b"{", 400),
    (b"{}", 422),
    ({"messages": 5}, 422),
    ({"n": 0}, 400),
    ({"n": 2}, 400),
    ({"model": "other"}, 404),
    ({"tools": [{"type": "function"}]}, 400),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {**PICTURE, "image_url": "x"}]}]}, 400),
]


async def test_every_refusal_has_the_shape_that_openais_clients_read(database: Place) -> None:
    async with running(database, agent=over_at_once) as server:
        for body, status in REFUSED:
            if isinstance(body, bytes):
                answer = await server.http.post("/v1/chat/completions", content=body, headers=OPERATOR)
            else:
                answer = await complete(server, **body)
            assert answer.status_code == status, body
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}, body
        known = await server.http.get("/v1/models/evenkeel", headers=OPERATOR)
        assert (known.json()["id"], known.json()["object"]) == ("evenkeel", "model")
        unknown = await server.http.get("/v1/models/other", headers=OPERATOR)
        assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")


async def test_usage_is_in_every_chunk_where_it_was_asked_for(database: Place) -> None:
    async with running(database, agent=over_at_once) as server:
        for options in ({"stream_options": {"include_usage": True}}, {}):
            chunks = (await complete(server, stream=True, **options)).text.split("\n\n")
            assert chunks[-2:] == ["data: [DONE]", ""]
            assert ['"usage":null' in each for each in chunks[:-3]] == [bool(options)] * len(chunks[:-3])
