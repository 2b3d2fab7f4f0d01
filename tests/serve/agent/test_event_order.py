"""What a turn says, event by event, as sections 1.2 and 1.3 of the contract have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.serve.agent.models.calls import Piece, ToolCall
from evenkeel.serve.agent.settings import ModelSettings
from evenkeel.serve.ports.requests import NO_TOOLS
from evenkeel.serve.ports.runs import RunState
from tests.serve.agent.agents import Script, Told, agent, kinds, one, text_of
from tests.storages import Place

ASKED = ["context_usage", "progress(llm_call)", "llm_request"]
SAID = ["llm_output_delta", "llm_output", "token_usage"]
PLAIN = ["progress(start)", *ASKED, *SAID, "round_usage", "final"]
LIVE_ONLY = {"token_usage", "llm_stream_retry", "a2ui"}
FUNCTIONS = ModelSettings(provider="offline", tool_call_mode="function_call", retries=0)


def seen_by(place: Place, kinds: list[str]) -> list[str]:
    """On the rollback path a watcher polls the table: what is never stored, it never sees."""
    return kinds if place.profile == "optimised" else [kind for kind in kinds if kind not in LIVE_ONLY]


def block(name: str, arguments: str = "{}") -> str:
    return f'<tool_call>{{"name":"{name}","arguments":{arguments}}}</tool_call>'


def fields(told: list[Told]) -> dict[str, set[str]]:
    return {each.kind: set(each.data) for each in told}


async def test_a_plain_answer(place: Place, tmp_path: Path) -> None:
    async with agent(place, tmp_path, Script([["Hello ", "Ann", "."]])) as mine:
        told = await mine.told("Who am I?")
        assert kinds(told) == seen_by(place, PLAIN)
        assert text_of(told) == "Hello Ann."
        assert [each.event_id for each in told] == sorted({each.event_id for each in told})
        stored = await mine.stored()
        assert kinds(stored) == [kind for kind in PLAIN if kind not in LIVE_ONLY]
        assert text_of(stored) == "Hello Ann."
        final = one(told, "final")
        assert final["answer"] == "Hello Ann."
        assert final["stop_reason"] == "model_response"
        assert final["usage"] == final["round_usage"] == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


async def test_the_fields_of_each_event(database: Place, tmp_path: Path) -> None:
    rounds = {"user_round", "model_round"}
    usage = {"input_tokens", "output_tokens", "total_tokens"}
    timing = {"prefill_duration_s", "decode_duration_s"}
    async with agent(database, tmp_path, Script([[Piece("Hi", "hm")]])) as mine:
        told = await mine.told("Who am I?")
        assert told[0].data == {
            "stage": "start",
            "summary": "Request received.",
            "question": "Who am I?",
            "user_round": 1,
        }
        assert fields(told[1:]) == {
            "context_usage": {"context_tokens", "message_count"} | rounds,
            "progress": {"stage", "summary"} | rounds,
            "llm_request": {"provider", "model", "base_url", "stream", "payload_omitted"} | rounds,
            "llm_output_delta": {"delta", "reasoning_delta"} | rounds,
            "llm_output": {"content", "reasoning", "usage", "tool_calls"} | timing | rounds,
            "token_usage": usage | timing | rounds,
            "round_usage": usage | {"user_round"},
            "final": {"answer", "usage", "round_usage", "stop_reason"} | rounds,
        }
        assert one(told, "llm_output")["tool_calls"] is None
        assert one(told, "llm_output")["reasoning"] == "hm"


@pytest.mark.parametrize("functions", [False, True], ids=["tool_call", "function_call"])
async def test_a_tool_round(place: Place, tmp_path: Path, functions: bool) -> None:
    """Both tool protocols say the same: all calls, then each result in the order of the calls, then the next round."""
    write = '{"path":"a.txt","content":"one"}'
    texts: list[object] = ["I look. ", block("write_file", write), block("nonsense"), block("list_files")]
    calls: list[object] = [
        "I look. ",
        ToolCall("x1", "write_file", {"path": "a.txt", "content": "one"}),
        ToolCall("x2", "nonsense", {}),
        ToolCall("x3", "list_files", {}),
    ]
    script = Script([calls if functions else texts, ["Done."]])
    if functions:
        script.settings = FUNCTIONS
    async with agent(place, tmp_path, script) as mine:
        told = await mine.told("Write and look")
        tools = ["tool_call"] * 3 + ["tool_result", "workspace_update", "tool_result", "tool_result"]
        expected = ["progress(start)", *ASKED, *SAID, *tools, *ASKED, *SAID, "round_usage", "final"]
        assert kinds(told) == seen_by(place, expected)
        assert text_of(told) == "I look. Done."
        results = [each.data for each in told if each.kind == "tool_result"]
        assert [(each["tool"], each["ok"]) for each in results] == [
            ("write_file", True),
            ("nonsense", False),
            ("list_files", True),
        ]
        assert "There is no tool 'nonsense'" in results[1]["error"]
        assert set(results[0]["meta"]) >= {"duration_ms", "truncated", "output_chars", "workspace_version"}
        assert one(told, "round_usage")["total_tokens"] == 20
        assert [each.data["content"] for each in told if each.kind == "llm_output"] == ["I look. ", "Done."]
        if functions:
            assert [message["role"] for message in script.calls[1].messages][-4:] == ["assistant", *["tool"] * 3]
            assert script.calls[1].messages[-1]["tool_call_id"] == "x3"
        else:
            last = script.calls[1].messages[-1]
            assert last["role"] == "user"
            assert str(last["content"]).startswith("tool_response: ")
        assert [row["role"] for row in await mine.rows()] == ["user", "assistant", *["tool"] * 3, "assistant"]


async def test_the_next_turn_sees_the_one_before(database: Place, tmp_path: Path) -> None:
    """Lesson k: rounds are counted in storage, and so is what was said."""
    script = Script([[block("list_files")], ["First."], ["Second."]])
    async with agent(database, tmp_path, script) as mine:
        await mine.told("one")
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("two")
        assert told[0].data["user_round"] == 2
        assert min(each.event_id for each in told) > 10  # lesson c: ids go on
    roles = [message["role"] for message in script.calls[2].messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


@pytest.mark.parametrize("name", ["final_response", "最终回复"])
async def test_the_final_answer_tool_ends_the_turn_silently(place: Place, tmp_path: Path, name: str) -> None:
    script = Script([["thinking ", block(name, '{"content":"The answer."}')]])
    async with agent(place, tmp_path, script) as mine:
        told = await mine.told("?")
        assert kinds(told) == seen_by(place, PLAIN)
        assert one(told, "final")["answer"] == "The answer."
        assert one(told, "final")["stop_reason"] == "final_tool"
        assert (await mine.rows())[-1]["content"] == "The answer."


async def test_a2ui_ends_the_turn(database: Place, tmp_path: Path) -> None:
    script = Script([[block("a2ui", '{"uid":"u1","a2ui":[{"beginRendering":{}}],"content":"Look"}')]])
    async with agent(database, tmp_path, script) as mine:
        answer = await mine.runs.outcome(await mine.ask("show"))
        assert (answer.answer, answer.stop_reason) == ("Look", "a2ui")
        assert answer.extra == {"uid": "u1", "a2ui": [{"beginRendering": {}}]}
        assert "tool_call" not in kinds(await mine.stored())


async def test_a_question_to_the_user_ends_the_turn_and_leaves_the_session_idle(place: Place, tmp_path: Path) -> None:
    script = Script([["Which? ", block("问询面板", '{"question":"Tea?","options":["yes","no"]}')], ["Tea it is."]])
    async with agent(place, tmp_path, script) as mine:
        told = await mine.told("serve me")
        names = [each.kind for each in told]
        assert names[-5:] == ["tool_call", "question_panel", "tool_result", "round_usage", "final"]
        assert one(told, "final")["stop_reason"] == "question_panel"
        assert one(told, "tool_call")["tool"] == "问询面板"
        assert (await mine.rows())[-1]["questionPanel"]["question"] == "Tea?"
        assert await mine.runs.states(["s"]) == {"s": RunState.WAITING}
        assert one(await mine.told("yes"), "final")["answer"] == "Tea it is."


async def test_a_plan_is_shown(database: Place, tmp_path: Path) -> None:
    script = Script([[block("update_plan", '{"plan":[{"step":"look","status":"in_progress"}]}')], ["ok"]])
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("plan")
        assert one(told, "plan_update")["plan"] == [{"step": "look", "status": "in_progress"}]
        names = [each.kind for each in told]
        assert names.index("tool_call") < names.index("plan_update") < names.index("tool_result")


async def test_rounds_are_bounded(database: Place, tmp_path: Path) -> None:
    script = Script([["again ", block("list_files")]], ModelSettings(provider="offline", max_rounds=3))
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("go on for ever")
        assert one(told, "final")["stop_reason"] == "max_rounds"
        assert script.at == 3
        assert [each.kind for each in told].count("tool_result") == 3


async def test_no_tools_means_none(database: Place, tmp_path: Path) -> None:
    script = Script([[block("list_files")]])
    async with agent(database, tmp_path, script) as mine:
        for more in ({"skip_tool_calls": True}, {"tool_names": (NO_TOOLS,)}):
            told = await mine.told("list", **more)
            assert one(told, "final")["answer"] == block("list_files")  # text like any other
        assert all(not call.tools for call in script.calls)


async def test_named_tools_are_the_only_ones(database: Place, tmp_path: Path) -> None:
    script = Script([["ok"]])
    async with agent(database, tmp_path, script) as mine:
        await mine.told("?", tool_names=("列出文件", "read_file", "unheard-of"))
        assert [spec.name for spec in script.calls[0].tools] == ["list_files", "read_file"]
