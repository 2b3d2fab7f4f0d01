"""The contract over plain HTTP, on both databases and both paths, with an agent that says the same words each time."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.serve.reading import kinds, said, sse
from tests.serve.servers import KEY, Running, running
from tests.serve.tiny import tiny_agent
from tests.storages import Place

OPERATOR = {"x-api-key": KEY}
SAID = ["progress", "llm_output_delta", "token_usage", "final"]


async def ask(server: Running, headers: dict[str, str] = OPERATOR, **body: Any) -> httpx2.Response:
    return await server.http.post("/wunder", json={"user_id": "ann", "question": "hello", **body}, headers=headers)


def error_of(answer: httpx2.Response) -> str:
    body = answer.json()
    assert body["ok"] is False
    assert set(body["error"]) == {"code", "message", "status", "hint", "trace_id", "timestamp"}
    assert body["error"]["status"] == answer.status_code
    assert answer.headers["x-trace-id"] == body["error"]["trace_id"]
    assert answer.headers["x-error-code"] == body["error"]["code"]
    assert body["detail"]["message"] == body["error"]["message"]
    return str(body["error"]["code"])


async def test_a_streamed_answer(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        answer = await ask(server)
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = sse(answer.text)
        live_only = {"token_usage"} if place.profile == "rollback" else set()  # that path reads what is stored
        assert kinds(events) == [kind for kind in SAID if kind not in live_only]
        ids = [int(event["id"]) for event in events]
        assert ids == sorted(set(ids))
        assert said(events) == "Once upon a time."
        assert set(events[0]["data"]) == {"session_id", "timestamp", "data"}
        assert events[-1]["data"]["data"]["answer"] == "Once upon a time."


async def test_a_plain_answer(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        answer = await ask(server, stream=False)
        assert answer.json() == {
            "session_id": answer.json()["session_id"],
            "answer": "Once upon a time.",
            "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            "stop_reason": "model_response",
        }


async def test_who_may_ask(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        user = await server.user("ann")
        for headers in ({}, {"x-api-key": "guess"}, user):
            answer = await ask(server, headers)
            assert (answer.status_code, error_of(answer)) == (401, "UNAUTHORIZED")
        assert (await ask(server, {"authorization": f"Bearer {KEY}"}, stream=False)).status_code == 200


async def test_without_a_key_admin_paths_answer_500(database: Place) -> None:
    async with running(database, agent=tiny_agent, auth__api_key="") as server:
        assert (await ask(server, {})).status_code == 500


async def test_bad_bodies_are_told_apart(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        post = server.http.post
        assert (await post("/wunder", content=b"{", headers=OPERATOR)).status_code == 400
        missing = await post("/wunder", json={"user_id": "ann"}, headers=OPERATOR)
        assert (missing.status_code, error_of(missing)) == (422, "UNPROCESSABLE_ENTITY")
        for name in ("question", "user_id"):
            answer = await ask(server, OPERATOR, **{name: " "})
            assert (answer.status_code, error_of(answer)) == (400, "INVALID_REQUEST")
        large = await post("/wunder", content=b" " * (2 * 1024 * 1024 + 1), headers=OPERATOR)
        assert (large.status_code, error_of(large)) == (413, "PAYLOAD_TOO_LARGE")
        nowhere = await server.http.get("/nowhere")
        assert (nowhere.status_code, error_of(nowhere)) == (404, "NOT_FOUND")
        assert error_of(await server.http.get("/wunder/auth/login")) == "METHOD_NOT_ALLOWED"


async def test_run_errors_stand_in_the_stream_or_in_the_answer(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        plain = await ask(server, question="refuse", stream=False)
        assert (plain.status_code, error_of(plain)) == (400, "LLM_UNAVAILABLE")
        streamed = await ask(server, question="refuse")
        assert streamed.status_code == 200
        (event,) = sse(streamed.text)
        assert (event["event"], event["data"]["data"]["code"], "id" in event) == ("error", "LLM_UNAVAILABLE", False)
        failed = await ask(server, question="fail", stream=False)
        assert (failed.status_code, error_of(failed)) == (400, "INTERNAL_ERROR")
        assert sse((await ask(server, question="fail")).text)[-1]["event"] == "error"
