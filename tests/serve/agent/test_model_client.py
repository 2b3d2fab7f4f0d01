"""The client of OpenAI-compatible endpoints, against a real server over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evenkeel.hotpath.lean import build_lean
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.metrics import Meters
from evenkeel.serve.agent.models.calls import Model, ModelCall, ModelFailedError, Reply, ToolSpec
from evenkeel.serve.agent.models.catalogue import completed, open_models
from evenkeel.serve.agent.models.openai import completions_url
from evenkeel.serve.agent.models.wire import LINE_BYTES, Lines
from evenkeel.serve.agent.settings import AgentSettings, ModelSettings
from evenkeel.serve.ports.runs import Usage
from tests.serve.agent.agents import agent, heard, kinds, one, settings_in, text_of, until
from tests.serve.agent.endpoints import DONE, USAGE, Endpoint, chunk, endpoint, plain, silent, streamed
from tests.storages import Place

QUESTION = ModelCall([{"role": "user", "content": "Hi"}], (ToolSpec("srv@look.up", "Looks.", {"type": "object"}),))


@asynccontextmanager
async def model(at: Endpoint, **settings: Any) -> AsyncIterator[Model]:
    chosen = AgentSettings(model="m", models={"m": ModelSettings(base_url=at.url, **settings)})
    lean = build_lean(read_switches(), Meters())
    async with open_models(completed(chosen), lean, SystemClock()) as models:
        yield models.models["m"]


async def answered(asked: Model, reply: Reply | None = None) -> tuple[str, str, Reply]:
    reply = reply or Reply()
    pieces = [piece async for piece in asked.stream(QUESTION, reply)]
    return "".join(piece.text for piece in pieces), "".join(piece.reasoning for piece in pieces), reply


async def test_a_streamed_answer_in_awkward_pieces() -> None:
    whole = (
        chunk(reasoning_content="hm ") + chunk(reasoning="so") + chunk(content="Grüß ") + chunk(content="Gott") + USAGE
    )
    cut = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    async with endpoint(streamed(b": hello\n", *cut, DONE)) as at, model(at, api_key="sesame", stop=("END",)) as asked:
        text, reasoning, reply = await answered(asked)
    assert (text, reasoning) == ("Grüß Gott", "hm so")
    assert reply.usage == Usage(11, 4, 15)
    (request,) = at.asked
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sesame"
    assert request.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.7,
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop": ["END"],
    }


async def test_function_calls_come_in_pieces() -> None:
    def call(**more: Any) -> bytes:
        return chunk(tool_calls=[more])

    parts = (
        call(index=0, id="a", function={"name": "one", "arguments": ""})
        + call(index=1, id="b", function={"name": "two", "arguments": '{"x"'})
        + call(index=0, function={"arguments": '{"n":1}'})
        + call(index=1, function={"arguments": ":2}"})
        + call(index=2, id="c", function={"name": "three", "arguments": "{broken"})
    )
    async with endpoint(streamed(parts, DONE)) as at, model(at, tool_call_mode="function_call") as asked:
        _, _, reply = await answered(asked)
    assert [(each.call_id, each.name, each.arguments) for each in reply.tool_calls] == [
        ("a", "one", {"n": 1}),
        ("b", "two", {"x": 2}),
        ("c", "three", {}),
    ]
    assert "not valid JSON" in reply.tool_calls[2].problem
    assert at.asked[0].body["tools"][0]["function"]["name"] == "srv__look_up"
    assert at.asked[0].body["tool_choice"] == "auto"


async def test_an_endpoint_without_stream_options_is_asked_without_and_remembered() -> None:
    refused = plain(400, {"error": {"message": "unknown field stream_options"}})
    fine = streamed(chunk(content="ok"), DONE)
    async with endpoint(refused, fine, fine) as at, model(at) as asked:
        assert (await answered(asked))[0] == "ok"
        assert (await answered(asked))[0] == "ok"
    assert ["stream_options" in each.body for each in at.asked] == [True, False, False]


async def test_a_refusal_says_why() -> None:
    refused = plain(400, {"error": {"message": "context too long"}})
    async with endpoint(refused) as at, model(at) as asked:
        with pytest.raises(ModelFailedError, match="context too long") as raised:
            await answered(asked)
    assert not raised.value.passing


@pytest.mark.parametrize(("status", "passing"), [(401, False), (404, False), (429, True), (500, True), (503, True)])
async def test_which_failures_pass(status: int, passing: bool) -> None:
    async with endpoint(plain(status, b"<html>no", ["retry-after: 7"])) as at, model(at) as asked:
        with pytest.raises(ModelFailedError, match=str(status)) as raised:
            await answered(asked)
    assert (raised.value.passing, raised.value.retry_after_s) == (passing, 7.0)


async def test_an_answer_that_is_not_streamed() -> None:
    call = {"id": "a", "function": {"name": "one", "arguments": "{}"}}
    body = {
        "choices": [{"message": {"content": "whole", "tool_calls": [call]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    async with endpoint(plain(200, body)) as at, model(at, stream=False) as asked:
        text, _, reply = await answered(asked)
    assert (text, reply.usage, [each.name for each in reply.tool_calls]) == ("whole", Usage(1, 2, 3), ["one"])


async def test_a_silent_endpoint_is_given_up() -> None:
    async with endpoint(silent) as at, model(at, idle_s=0.05) as asked:
        with pytest.raises(ModelFailedError, match="in time") as raised:
            await answered(asked)
    assert raised.value.passing
    assert raised.value.timed_out


async def test_an_endless_answer_is_given_up() -> None:
    async with endpoint(streamed(chunk(content="a"), asyncio.Event())) as at, model(at, total_s=0.1) as asked:
        with pytest.raises(ModelFailedError, match="more than") as raised:
            await answered(asked)
    assert raised.value.timed_out


async def test_nobody_there() -> None:
    async with endpoint(silent) as at:
        pass
    async with model(at) as asked:
        with pytest.raises(ModelFailedError, match="reached") as raised:
            await answered(asked)
    assert raised.value.passing


@pytest.mark.parametrize(
    "answer",
    [
        streamed(b"data: {nonsense}\n\n"),
        streamed(chunk(content="a"), end=False),
        streamed(b'data: {"error":{"message":"overloaded"}}\n\n'),
    ],
    ids=["nonsense", "cut-off", "error-inside"],
)
async def test_a_broken_stream_is_a_failure_that_passes(answer: Any) -> None:
    async with endpoint(answer) as at, model(at) as asked:
        with pytest.raises(ModelFailedError) as raised:
            await answered(asked)
    assert raised.value.passing


def test_a_line_without_end_is_refused() -> None:
    lines = Lines()
    assert lines.fed(b"x" * LINE_BYTES) == []
    with pytest.raises(ModelFailedError, match="line"):
        lines.fed(b"x" * 65_536)


def test_addresses() -> None:
    assert completions_url("http://h/v1/") == "http://h/v1/chat/completions"
    assert completions_url("https://h/openai") == "https://h/openai/v1/chat/completions"
    with pytest.raises(ConfigurationError, match="base_url"):
        completions_url("h:80")


async def test_connections_are_used_again() -> None:
    async with endpoint(streamed(chunk(content="a"), DONE)) as at, model(at) as asked:
        for _ in range(3):
            await answered(asked)
        assert at.connections == 1


async def test_a_cancel_hangs_up_on_the_model(database: Place, tmp_path: Path) -> None:
    async with endpoint(streamed(chunk(content="so "), chunk(content="far"), asyncio.Event())) as at:
        settings = settings_in(tmp_path, model="m", models={"m": ModelSettings(base_url=at.url)})
        async with agent(database, tmp_path, settings=settings) as mine:
            begun = await mine.ask("?")
            watching = asyncio.create_task(heard(begun))
            await until(lambda: bool(at.asked))
            await asyncio.sleep(0.1)
            await mine.runs.cancel("s")
            told = await watching
            await asyncio.wait_for(at.closed.wait(), 5)
        assert text_of(told) == "so far"
        assert told[-1].data["code"] == "CANCELLED"


async def test_a_turn_over_the_network(place: Place, tmp_path: Path) -> None:
    first = streamed(
        chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "list_files", "arguments": "{}"}}]), DONE
    )
    second = streamed(chunk(content="No "), chunk(content="files."), USAGE, DONE)
    busy = plain(503, {"error": "busy"})
    async with endpoint(first, busy, second) as at:
        entry = ModelSettings(base_url=at.url, tool_call_mode="function_call", retry_s=0.01)
        settings = settings_in(tmp_path, model="m", models={"m": entry})
        async with agent(place, tmp_path, settings=settings) as mine:
            told = await mine.told("which files?")
        assert one(told, "final")["answer"] == "No files."
        assert kinds(told).count("tool_result") == 1
        messages = at.asked[-1].body["messages"]
        assert messages[-1] == {"role": "tool", "tool_call_id": "a", "content": messages[-1]["content"]}
        assert messages[-2]["tool_calls"][0]["function"] == {"name": "list_files", "arguments": "{}"}
        assert at.asked[0].body["tools"]
