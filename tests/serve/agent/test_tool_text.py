"""Tool calls in text: nothing of a block is ever shown, and nothing else is held back, however the text is cut up."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.serve.agent.thinking import Splice
from evenkeel.serve.agent.toolcalltext import BLOCK_CHARS, ToolText

BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a machine with other work beside it."""
CALL = '<tool_call>{"name":"look","arguments":{"at":"<b>"}}</tool_call>'


def fed(*pieces: str) -> tuple[str, ToolText]:
    text = ToolText()
    shown = "".join(text.shown(piece) for piece in pieces)
    return shown + text.rest(), text


@BUSY
@given(
    st.lists(st.sampled_from(["a < b ", "<tool", "_call>", "<", ">", "x</tool_call>", "<<", "text "]), max_size=12),
    st.data(),
)
def test_text_without_calls_comes_through_whole(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts)
    if "<tool_call>" in whole:
        return
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert fed(*pieces)[0] == whole


@BUSY
@given(st.integers(0, 3), st.integers(1, 9))
def test_calls_are_found_however_the_text_is_cut(before: int, size: int) -> None:
    whole = "go " * before + CALL + "and" + CALL + " end"
    shown, text = fed(*[whole[at : at + size] for at in range(0, len(whole), size)])
    assert shown == "go " * before + "and end"
    assert [(call.name, call.arguments) for call in text.calls] == [("look", {"at": "<b>"})] * 2


def test_nothing_of_an_open_block_is_shown_and_the_rest_comes_at_once() -> None:
    text = ToolText()
    assert text.shown("so <tool") == "so "
    assert text.shown("_cal") == ""
    assert text.shown("m down") == "<tool_calm down"
    assert text.shown('<tool_call>{"name"') == ""


def test_a_block_that_never_closes() -> None:
    assert [call.name for call in fed('<tool_call>{"name":"look"}')[1].calls] == ["look"]
    assert fed("<tool_call>so be it")[0] == "<tool_call>so be it"


@pytest.mark.parametrize("inside", ["{broken", '"text"', '{"arguments":{}}', '{"name":"a","arguments":[1]}', "[1]"])
def test_what_cannot_be_read_is_a_call_with_a_problem(inside: str) -> None:
    shown, text = fed(f"<tool_call>{inside}</tool_call>")
    assert shown == ""
    assert text.calls[0].problem


def test_arguments_may_be_encoded_and_calls_may_come_as_a_list() -> None:
    _, text = fed('<tool_call>[{"name":"a","arguments":"{\\"x\\":1}"},{"name":"b","parameters":{"y":2}}]</tool_call>')
    assert [(call.name, call.arguments) for call in text.calls] == [("a", {"x": 1}), ("b", {"y": 2})]
    assert len({call.call_id for call in text.calls}) == 2


def test_a_huge_block_is_text() -> None:
    shown, text = fed("<tool_call>", "x" * (BLOCK_CHARS + 1), "tail")
    assert shown == "<tool_call>" + "x" * (BLOCK_CHARS + 1) + "tail"
    assert not text.calls


@BUSY
@given(st.text("ab", max_size=6), st.text("ab", max_size=8), st.integers(1, 3))
def test_a_splice_shows_each_character_once(shown: str, again: str, size: int) -> None:
    """What watchers have, and what they get: together the new text, or, where it differs, the new text anew."""
    splice = Splice(shown)
    got, began_anew = "", False
    for at in range(0, len(again), size):
        more = splice.more(again[at : at + size])
        if splice.differs and not began_anew:
            began_anew, got = True, ""
        got += more
    rest = splice.end()
    if splice.differs and not began_anew:
        began_anew, got = True, ""
    got += rest
    assert got == again if began_anew else shown + got == again
    assert splice.said == again
