"""The public OpenAI client, and a client that knows nothing but the EventSource standard, against the real agent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httpx2
import openai
import pytest

from tests.serve.servers import KEY, Running, running
from tests.serve.tiny import TinyRuns, tiny_agent
from tests.storages import Place


def speaker(server: Running, key: str = KEY) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


async def test_the_openai_client_streams(place: Place) -> None:
    async with running(place) as server, speaker(server) as client:
        stream = await client.chat.completions.create(
            model="evenkeel",
            messages=[{"role": "user", "content": "echo: a b c"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "a b c"
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens > 0


async def test_the_openai_client_asks_plainly(database: Place) -> None:
    async with running(database) as server, speaker(server) as client:
        answer = await client.chat.completions.create(
            model="evenkeel",
            messages=[
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "earlier"},
                {"role": "user", "content": "echo: hello"},
            ],
        )
        assert answer.choices[0].message.content == "hello"
        assert answer.usage is not None
        assert [model.id async for model in client.models.list()] == ["offline", "evenkeel"]
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="guess").models.list()
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="", messages=[{"role": "system", "content": "x"}])


async def test_a_users_token_is_a_key_too(database: Place) -> None:
    async with running(database) as server:
        token = (await server.user("ann"))["authorization"].split()[1]
        async with speaker(server, token) as client:
            messages = [{"role": "user", "content": "echo: mine"}]
            answer = await client.chat.completions.create(model="evenkeel", messages=messages)  # type: ignore[arg-type]
            assert answer.choices[0].message.content == "mine"


@dataclass
class EventSource:
    """The standard's parser and its one rule of reconnection: send the last id that was seen."""

    url: str
    headers: dict[str, str]
    last_id: str = ""
    names: list[str] = field(default_factory=list)
    text: str = ""
    ids: list[int] = field(default_factory=list)

    async def read(self, http: httpx2.AsyncClient, most: int) -> None:
        """Connect once; stop after `most` events or at the end."""
        headers = {**self.headers, "accept": "text/event-stream"}
        if self.last_id:
            headers["last-event-id"] = self.last_id
        name, data = "message", ""
        async with http.stream("GET", self.url, headers=headers) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                head, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if head == "event":
                    name = value
                elif head == "data":
                    data += value
                elif head == "id":
                    self.last_id = value
                elif line == "" and data:
                    self._dispatch(name, data)
                    name, data = "message", ""
                    most -= 1
                    if most == 0:
                        return

    def _dispatch(self, name: str, data: str) -> None:
        self.names.append(name)
        self.ids.append(int(self.last_id))
        inner = json.loads(data)["data"]
        if name == "llm_output_delta":
            self.text += "".join(each.get("delta", "") for each in inner.get("segments", [inner]))


async def test_an_event_source_resumes_by_its_last_id(place: Place) -> None:
    async with running(place, agent=tiny_agent) as server:
        headers = await server.user("ann")
        session_id = await server.session(headers)
        path = f"/wunder/chat/sessions/{session_id}"
        body = {"content": "slow:40"}
        async with server.http.stream("POST", f"{path}/messages", json=body, headers=headers) as asked:
            assert asked.status_code == 200  # and this client goes away: the run stays
        source = EventSource(f"{path}/resume?after_event_id=0", headers)
        for most in (1, 1):  # what is stored may be joined: there is no third to wait for yet
            await source.read(server.http, most)
        runs = server.server.runs
        assert isinstance(runs, TinyRuns)
        runs.gate.set()
        async with asyncio.timeout(15):
            while "final" not in source.names:
                await source.read(server.http, 2)
        assert source.text == "".join(f"w{index} " for index in range(40))
        assert source.ids == sorted(set(source.ids))
