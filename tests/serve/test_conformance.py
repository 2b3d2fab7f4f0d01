"""The whole server with its own agent, on both databases and both paths: same answers, same order, over both transports."""

from __future__ import annotations

from typing import Any

from tests.serve.reading import kinds, said, sse, stored_ids
from tests.serve.servers import Running, running
from tests.serve.sockets import client
from tests.storages import Place

PLAIN = ["progress", "context_usage", "progress", "quota_usage", "llm_request", "llm_output_delta", "llm_output",
         "round_usage", "final"]  # fmt: skip
LIVE_ONLY = "token_usage"


def order(events: list[dict[str, Any]]) -> list[str]:
    return kinds(event for event in events if event["event"] != LIVE_ONLY)


async def over_sse(server: Running, session_id: str, headers: dict[str, str], content: str) -> list[dict[str, Any]]:
    path = f"/wunder/chat/sessions/{session_id}/messages"
    return sse((await server.http.post(path, json={"content": content}, headers=headers)).text)


async def over_ws(server: Running, session_id: str, headers: dict[str, str], content: str) -> list[dict[str, Any]]:
    async with client(f"{server.ws_url}/wunder/chat/ws", headers) as ws:
        await ws.send("start", request_id="a", session_id=session_id, payload={"content": content})
        await ws.until("final")
        return ws.events("a")


async def test_both_transports_say_the_same_in_the_same_order(place: Place) -> None:
    async with running(place) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        for way in (over_sse, over_ws):
            events = await way(server, session_id, headers, "echo: one two three")
            assert order(events) == PLAIN
            assert said(events) == "one two three"
            assert events[-1]["data"]["data"]["answer"] == "one two three"
            assert stored_ids(events) == sorted(set(stored_ids(events)))
            assert events[-1]["data"]["data"]["stop_reason"] == "model_response"


async def test_a_tool_round_and_what_is_left_of_it(place: Place) -> None:
    async with running(place) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        events = await over_sse(server, session_id, headers, "make a plan: look, think, act")
        found = order(events)
        assert found[-2:] == ["round_usage", "final"]
        assert found.index("tool_call") < found.index("tool_result") < len(found) - 2
        path = f"/wunder/chat/sessions/{session_id}"
        detail = (await server.http.get(path, headers=headers)).json()["data"]
        assert [message["role"] for message in detail["messages"]] == ["user", "assistant"]
        assert detail["messages"][-1]["content"] == events[-1]["data"]["data"]["answer"]
        assert detail["history_incomplete"] is False
        rounds = (await server.http.get(f"{path}/events", headers=headers)).json()["data"]
        assert (rounds["running"], [each["user_round"] for each in rounds["rounds"]]) == (False, [1])
        assert "llm_output_delta" not in {event["event"] for event in rounds["rounds"][0]["events"]}
        listed = (await server.http.get("/wunder/chat/sessions", headers=headers)).json()["data"]
        assert (listed["total"], listed["items"][0]["title"]) == (1, "make a plan: look, t")
        assert listed["items"][0]["is_main"] is True


async def test_tools_and_instructions_can_be_seen_and_limited(database: Place) -> None:
    async with running(database) as server:
        headers = await server.user("ann")
        path = f"/wunder/chat/sessions/{await server.session(headers)}"
        whole = (await server.http.post(f"{path}/system-prompt", json={}, headers=headers)).json()["data"]["prompt"]
        await server.http.post(f"{path}/tools", json={"tool_overrides": ["__no_tools__"]}, headers=headers)
        bare = (await server.http.post(f"{path}/system-prompt", json={}, headers=headers)).json()["data"]["prompt"]
        assert len(bare) < len(whole)
        assert "tool_call" in whole
        assert "tool_call" not in bare
        plan = {"content": "make a plan: look, think, act"}
        events = sse((await server.http.post(f"{path}/messages", json=plan, headers=headers)).text)
        assert "tool_call" not in kinds(events)  # a call of what is not there is no call
