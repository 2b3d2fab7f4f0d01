"""Quotas, failures of the model, and what is too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evenkeel.hotpath.ports.users import NewUser
from evenkeel.serve.agent.models.calls import ModelFailedError
from evenkeel.serve.agent.settings import ModelSettings
from evenkeel.serve.ports.failures import RunFailedError
from evenkeel.serve.ports.requests import NO_TOOLS, Attachment
from tests.serve.agent.agents import Script, agent, kinds, one, settings_in, text_of
from tests.serve.agent.test_event_order import block
from tests.storages import Place


async def test_quota_is_told_and_kept(place: Place, tmp_path: Path) -> None:
    script = Script([[block("list_files")], ["one"], ["two"]])
    async with agent(place, tmp_path, script) as mine:
        await mine.parts.storage.users.create(NewUser("ann", "ann", "hash", daily_quota=3))
        told = await mine.told("?")
        quota = [each.data for each in told if each.kind == "quota_usage"]
        assert [(each["used"], each["remaining"], each["daily_quota"]) for each in quota] == [(1, 2, 3), (2, 1, 3)]
        names = kinds(told)
        at = names.index("quota_usage")
        assert (names[at - 1], names[at + 1]) == ("progress(llm_call)", "llm_request")
        await mine.told("?")
        with pytest.raises(RunFailedError) as raised:
            await mine.runs.outcome(await mine.ask("once more"))
        assert raised.value.code == "USER_QUOTA_EXCEEDED"
        assert raised.value.status == 429
        assert raised.value.detail["used"] == 3
        assert script.at == 3
        assert one(await mine.told("as admin", is_admin=True), "final")["answer"] == "two"


async def test_a_failed_call_is_made_again_and_no_text_is_shown_twice(place: Place, tmp_path: Path) -> None:
    broken = ModelFailedError("cut off", passing=True)
    script = Script(
        [["Hello ", "An", broken], ["Hello", " Ann", ", at last"]],
        ModelSettings(provider="offline", retries=2, retry_s=0.01),
    )
    async with agent(place, tmp_path, script) as mine:
        told = await mine.told("?")
        assert text_of(told) == "Hello Ann, at last"
        if place.profile == "optimised":
            retry = one(told, "llm_stream_retry")
            assert (retry["attempt"], retry["max_attempts"], retry["will_retry"]) == (1, 2, True)
        assert one(told, "final")["model_round"] == 1


async def test_another_text_after_a_retry_is_another_model_round(database: Place, tmp_path: Path) -> None:
    """Clients replace a round's text by its output: what was shown of the try that broke off stands in a round of its
    own.
    """
    broken = ModelFailedError("cut off", passing=True)
    script = Script([["Hello An", broken], ["Good day"]], ModelSettings(provider="offline", retries=1, retry_s=0.01))
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("?")
        shown: dict[int, str] = {}
        for each in told:
            if each.kind == "llm_output_delta":
                shown[each.data["model_round"]] = shown.get(each.data["model_round"], "") + each.data["delta"]
        assert shown == {1: "Hello An", 2: "Good day"}
        assert one(told, "llm_output")["content"] == one(told, "final")["answer"] == "Good day"
        assert one(told, "llm_output")["model_round"] == 2


async def test_a_model_that_keeps_failing_ends_the_run(database: Place, tmp_path: Path) -> None:
    script = Script(
        [[ModelFailedError("no", passing=True)]], ModelSettings(provider="offline", retries=1, retry_s=0.01)
    )
    async with agent(database, tmp_path, script) as mine:
        told = await mine.told("?")
        assert told[-1].data["code"] == "INTERNAL_ERROR"
        assert script.at == 2
        assert [row["role"] for row in await mine.rows()] == ["user"]  # it was stored when the turn began


async def test_an_unknown_model_is_unavailable(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["x"]])) as mine:
        with pytest.raises(RunFailedError) as raised:
            await mine.runs.outcome(await mine.ask("?", model_name="unheard-of"))
        assert (raised.value.code, raised.value.status) == ("LLM_UNAVAILABLE", 400)


async def test_a_debug_payload_shows_what_is_sent(database: Place, tmp_path: Path) -> None:
    async with agent(database, tmp_path, Script([["x"]])) as mine:
        shown = one(await mine.told("secret plan", debug_payload=True), "llm_request")
        assert "secret plan" in str(shown["payload"])
        assert "payload_omitted" not in shown


async def test_a_long_tool_result_is_cut_once_for_all(database: Place, tmp_path: Path) -> None:
    script = Script([[block("read_file", '{"path":"long.txt"}')], ["ok"]])
    settings = settings_in(tmp_path)
    async with agent(database, tmp_path, script, settings=settings) as mine:
        await mine.told("x", tool_names=(NO_TOOLS,))
        script.says[0:0] = [[block("write_file", '{"path":"long.txt","content":"' + "z" * 100_000 + '"}')], ["w"]]
        script.at = 0
        await mine.told("write")
        told = await mine.told("read")
        result = one(told, "tool_result")
        assert result["meta"]["truncated"] is True
        assert result["meta"]["output_chars"] > 100_000
        size = settings.tools.result_bytes
        assert len(result["data"]["truncated_json"]) <= size
        asked = str(script.calls[-1].messages[-1]["content"])
        assert result["data"]["truncated_json"][:1000].replace('"', '\\"') in asked
        assert len(asked) < 2 * size


async def test_attachments_reach_the_model(database: Place, tmp_path: Path) -> None:
    picture = "data:image/png;base64,AAAA"
    async with agent(database, tmp_path, script := Script([["x"]])) as mine:
        await mine.told("look", attachments=(Attachment("a.txt", "the text"), Attachment("p", picture, "image/png")))
        content: Any = script.calls[0].messages[-1]["content"]
        assert content[0] == {"type": "text", "text": "look\n\n[a.txt]\nthe text"}
        assert content[1]["image_url"]["url"] == picture
