"""Arrivals and the simulated model: what is drawn is what was asked for, and comes again from the same seed."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest

from evenkeel.prove.load.arrivals import after_a_peak, arrivals, bursts, release, steady, waves
from evenkeel.prove.load.model import Simulator
from evenkeel.prove.load.script import Message, Named, Pace, Request, Tool, script
from evenkeel.prove.load.simulator import Model, serve
from evenkeel.prove.load.sockets import Socket
from evenkeel.prove.load.sse import Turn, question
from evenkeel.prove.measure.tokens import Track
from evenkeel.prove.scenarios import soak
from evenkeel.prove.scenarios.streams import failed

QUICK = Pace(first_token_s=0.002, gap_s=0.0005)


def asked(text: str, *after: Message, tools: bool = True) -> Request:
    offered = [Tool(Named("echo"))] if tools else []
    return Request([Message("system", "be short"), Message("user", text), *after], stream=True, tools=offered)


def test_open_loop_arrivals_have_their_rate_and_seed() -> None:
    plan = list(arrivals(50.0, 100.0, seed=4))
    assert plan == list(arrivals(50.0, 100.0, seed=4))
    assert plan != list(arrivals(50.0, 100.0, seed=5))
    assert len(plan) == pytest.approx(5_000, rel=0.06)
    gaps = [other - one for one, other in pairwise(plan)]
    assert statistics.pstdev(gaps) == pytest.approx(
        statistics.fmean(gaps), rel=0.1
    )  # exponential, as independent users are


@pytest.mark.parametrize(
    ("shape", "part"), [(steady(50.0), 0.75), (bursts(10.0, 0.2, 0.5), 0.6), (waves(20.0, 0.4), 0.7)]
)
def test_shapes_thin_the_rate(shape: object, part: float) -> None:
    assert callable(shape)
    assert len(list(arrivals(100.0, 100.0, 1, shape))) == pytest.approx(10_000 * part, rel=0.08)


def test_a_peak_comes_first() -> None:
    plan = list(arrivals(130.0, 100.0, 1, after_a_peak(steady(), 40.0, 1.3)))
    first = [at for at in plan if at < 40.0]
    assert len(first) / 40.0 == pytest.approx(130.0, rel=0.05)
    assert (len(plan) - len(first)) / 60.0 == pytest.approx(100.0, rel=0.05)


def test_the_peak_of_a_soak_is_over_before_anything_is_judged() -> None:
    shape = soak.shape_of(2_400.0)
    assert max(shape(float(second)) for second in range(560)) == pytest.approx(1.0)
    assert max(shape(float(second)) for second in range(560, 2_400)) == pytest.approx(1 / soak.PEAK, rel=0.01)
    assert soak.warm_up_s(2_400.0) == 800.0


async def test_a_slow_answer_delays_no_arrival() -> None:
    left: list[int] = []

    async def slow(number: int) -> None:
        left.append(number)
        await asyncio.sleep(30)

    tasks = await release(iter([0.0, 0.001, 0.002]), lambda number, _: slow(number), late=lambda _: None)
    await asyncio.sleep(0)
    assert left == [0, 1, 2]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_same_turn_gets_the_same_answer() -> None:
    one, again = (script(asked(question("t1")), Pace(), 7, "none") for _ in range(2))
    assert one == again
    assert one != script(asked(question("t2")), Pace(), 7, "none")
    assert one != script(asked(question("t1")), Pace(), 8, "none")


def test_distributions_are_those_of_the_pace() -> None:
    plans = [script(asked(question(f"t{number}")), Pace(), 1, "") for number in range(800)]
    assert statistics.median(plan.gaps[0] for plan in plans) == pytest.approx(0.5, rel=0.08)
    assert statistics.fmean(gap for plan in plans for gap in plan.gaps[1:]) == pytest.approx(0.025, rel=0.05)
    assert statistics.fmean(len(plan.gaps) for plan in plans) == pytest.approx(40, rel=0.1)


def test_a_tool_is_called_first_and_the_answer_comes_after_its_result() -> None:
    text = question("t1", tools=1)
    first = script(asked(text), Pace(), 1, "")
    second = script(asked(text, Message("assistant", ""), Message("tool", "done")), Pace(), 1, "")
    assert (first.call, first.tool, first.as_text) == (0, "echo", False)
    assert (second.call, second.tool) == (1, "")
    as_text = script(asked(f"{text} tool=clock", tools=False), Pace(), 1, "")
    assert (as_text.tool, as_text.as_text) == ("clock", True)
    replied = script(asked(text, Message("user", "tool_response: done"), tools=False), Pace(), 1, "")
    assert (replied.call, replied.tool) == (1, "")


def test_faults_are_drawn_at_their_rate() -> None:
    pace = Pace(fault_rates=(("429", 0.1), ("cut", 0.1)))
    faults = [script(asked(question(f"t{number}")), pace, 1, "").fault for number in range(1_000)]
    assert faults.count("429") == pytest.approx(100, rel=0.35)
    assert faults.count("cut") == pytest.approx(100, rel=0.35)
    assert faults.count("") > 700


@asynccontextmanager
async def simulated(pace: Pace = QUICK) -> AsyncIterator[Simulator]:
    server = await serve(Model(pace, 1), 0)
    port = server.sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as session:
        yield Simulator(f"http://127.0.0.1:{port}", 0, session)
    server.close()


async def streamed(model: Simulator, text: str, *, tools: bool = True) -> list[dict[str, object]]:
    tool = {"type": "function", "function": {"name": "echo"}}
    body = {"stream": True, "messages": [{"role": "user", "content": text}], "tools": [tool] if tools else []}
    async with model.session.post(f"{model.model_url}/chat/completions", json=body) as answer:
        answer.raise_for_status()
        return [json.loads(line[6:]) async for line in answer.content if line.startswith(b"data: {")]


def delta(chunk: dict[str, object]) -> dict[str, object]:
    choices = chunk["choices"]
    assert isinstance(choices, list)
    return choices[0]["delta"] if choices else {}


async def until(model: Simulator, what: str) -> None:
    while not getattr(await model.fetch(), what):  # noqa: ASYNC110 - another process's state, in all but this test
        await asyncio.sleep(0.005)


async def test_an_answer_is_streamed_and_noted() -> None:
    async with simulated() as model:
        chunks = await streamed(model, question("t1", tokens=9))
        track = Track()
        for chunk in chunks:
            track.add(str(delta(chunk).get("content", "")), 0.0)
        assert track.missing(9) == 0
        assert chunks[-1]["usage"] == {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}
        await model.fetch()
    (call,) = model.served["t1"]
    assert (call.words, call.outcome) == (9, "done")
    assert call.received < call.first < call.last <= call.ended


async def test_a_tool_call_is_streamed_as_the_api_has_it() -> None:
    async with simulated() as model:
        chunks = await streamed(model, question("t1", tools=1))
        calls = [each for chunk in chunks for each in delta(chunk).get("tool_calls", [])]  # type: ignore[attr-defined]
        text = await streamed(model, question("t2", tools=1, tool="clock"), tools=False)
    assert calls[0]["function"]["name"] == "echo"
    assert json.loads("".join(each["function"]["arguments"] for each in calls)) == {"text": "turn t1"}
    written = "".join(str(delta(chunk).get("content", "")) for chunk in text)
    assert json.loads(written.removeprefix("<tool_call>").removesuffix("</tool_call>"))["name"] == "clock"


async def test_a_gate_holds_an_answer_until_it_is_released() -> None:
    async with simulated() as model:
        asking = asyncio.create_task(streamed(model, question("t1", hold="gate", tokens=4)))
        await until(model, "waiting")
        assert not asking.done()
        await model.fetch()
        assert model.under_way == {"t1"}
        await model.release("gate")
        assert len(await asking) == 6
        await model.fetch()
        assert not model.under_way


def test_a_turn_that_waits_for_the_model_alone_has_not_failed() -> None:
    turn = Turn("t1", "s", 0.0)
    assert failed(turn, under_way=[])
    assert not failed(turn, under_way=["t1"])
    turn.outcome = "error INTERNAL_ERROR"
    assert failed(turn, under_way=["t1"])
    turn.outcome = "final"
    assert not failed(turn, under_way=[])


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("500", 500)])
async def test_a_refusal(fault: str, status: int) -> None:
    async with simulated() as model:
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            await streamed(model, question("t1", fault=fault))
        assert refused.value.status == status
        assert len(await streamed(model, f"{question('t1')} tokens=5")) == 7


async def test_a_cut_connection() -> None:
    async with simulated() as model:
        with pytest.raises(aiohttp.ClientError):
            await streamed(model, question("t1", fault="cut", tokens=8))
        await model.fetch()
    assert model.served["t1"][0].outcome == "cut"


async def test_a_client_that_hangs_up_is_noted() -> None:
    async with simulated() as model:
        asking = asyncio.create_task(streamed(model, question("t1", ttft=60_000)))
        await until(model, "active")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        while not model.served:
            await model.fetch()
    assert model.served["t1"][0].outcome == "gone"


def test_a_refused_start_is_told() -> None:
    """A turn that is cancelled before it began has no events, so whoever waits for its end must hear of the error."""
    told: list[str] = []
    socket = Socket("http://nowhere", "token", "session", refused=told.append)
    socket.received(b'{"type":"error","request_id":"start-1","payload":{"code":"CANCELLED","message":"Stopped."}}')
    assert told == ["CANCELLED"]
    assert socket.errors == ["CANCELLED: Stopped."]
