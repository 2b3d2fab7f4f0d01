"""Templates: what stands in the holes comes through, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.wording import ENGLISH, wording_of
from evenkeel.audit.wording.templates import build_template, has_holes, pieces
from evenkeel.audit.wording.wordings import spaced

CODE = st.text(st.characters(exclude_characters="`"), min_size=1, max_size=40)


def test_english_says_everything_as_it_is() -> None:
    assert ENGLISH("anything at all", "n-plus-one") == "anything at all"
    assert ENGLISH.sentences(["One.", "", "Two."]) == "One. Two."


def test_what_no_template_fits_stays_as_it_is() -> None:
    assert wording_of("zh")("A sentence that nobody has written yet.") == "A sentence that nobody has written yet."
    assert wording_of("zh").said("A sentence that nobody has written yet.") is None
    with pytest.raises(KeyError):
        wording_of("xx")


@given(call=CODE, loop=CODE, entity=CODE)
def test_code_comes_through_unchanged(call: str, loop: str, entity: str) -> None:
    issue = f"`{call}` queries `{entity}` once per element of `{loop}`"
    said = wording_of("zh").said(issue, "n-plus-one")
    assert said is not None
    for each in (call, loop, entity):
        assert f"`{each}`" in said


def test_code_that_holds_back_ticks_still_has_its_template() -> None:
    said = wording_of("zh").said("`db.execute(f'SELECT `id`')` commits a session that outlives the call, and nothing "
                                 "rolls back when a statement fails", "missing-rollback")  # fmt: skip
    assert said is not None
    assert "SELECT `id`" in said.replace(" `", "`").replace("SELECT`", "SELECT `")


def test_parts_made_of_words_are_said_too() -> None:
    text = "`f` makes a network call while the transaction opened in line 12 is open; its connection and locks wait with it"
    assert (
        wording_of("zh")(text, "wide-transaction")
        == "`f` 在第 12 行打开的事务打开期间进行网络调用；连接和锁随之一起等待"
    )


def test_what_the_context_rules_add_is_said_too() -> None:
    text = "`x` makes a sleep while the transaction around it is open; its connection and locks wait with it"
    lowered = f"{text} (HIGH lowered to MEDIUM by set-up: inside_init; safeguard: a time-out surrounds it)"
    said = wording_of("zh")(lowered, "wide-transaction")
    assert said.endswith("（由高降为中，依据：初始化：位于 inside_init；保护：外层有超时）")


def test_spaces_stand_between_words_and_code_alone() -> None:
    assert spaced("在`a`中（`b`） `c`。 好") == "在 `a` 中（`b`）`c`。好"


def test_holes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="other"):
        build_template("{one}", "{other}")


def test_braces_that_are_no_holes_stay() -> None:
    assert not has_holes("Write the set comprehension `{...}`.")
    assert pieces("`{a}` and {b:number} {...}") == ["`", "` and ", " {...}"]
