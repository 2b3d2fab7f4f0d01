"""The reader on anything at all: it never raises, and its facts always hang together."""

from __future__ import annotations

import keyword

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.audit.model.facts import FileFacts, Value
from evenkeel.audit.source.python.reader import read

SIGNS = [
    "y.z",
    "f(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "=",
    ":=",
    "+=",
    ".",
    "**",
    "@",
    "->",
    '"',
    'f"',
    "'''",
    "#",
    "\\",
]
WORDS = [*keyword.kwlist, "match", "case", "type", "print", "x", "1", "é", *SIGNS, "\n", "\n    ", "\n        "]
PIECES = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
SOURCES = st.lists(PIECES, max_size=60).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
def test_arbitrary_bytes_are_read(source: bytes) -> None:
    check(read(source, "a.py", "a"))


@settings(max_examples=500, deadline=None)
@given(SOURCES)
def test_arbitrary_words_of_the_language_are_read(source: str) -> None:
    check(read(source.encode("utf-8", "replace"), "a.py", "a"))


def check(facts: FileFacts) -> None:
    for index, function in enumerate(facts.functions):
        assert -1 <= function.parent < max(index, 1)
        assert -1 <= function.owner < len(facts.classes)
        assert function.blocks[0].kind == "body"
        for number, block in enumerate(function.blocks):
            assert (block.parent == -1) == (number == 0)
            assert block.parent < number
            assert block.origin < number
        for kind in (function.calls, function.assignments, function.exits, function.reads):
            assert all(0 <= each.block < len(function.blocks) for each in kind)
        positions = [each.position for each in function.calls]
        assert positions == sorted(positions)
        for number, call in enumerate(function.calls):
            assert call.receiver < number
            assert call.parent == -1 or number < call.parent < len(function.calls)
            assert ("<call>" in call.callee.partition(".")[0]) == (call.receiver >= 0)
            for argument in call.arguments:
                check_value(argument.value, facts, number)
        for assignment in function.assignments:
            check_value(assignment.value, facts, len(function.calls))


def check_value(value: Value, facts: FileFacts, calls: int) -> None:
    assert -1 <= value.call < calls
    assert (value.kind == "call") <= (value.call >= 0)
    assert (value.kind == "lambda") == (value.function >= 0)
    assert value.function < len(facts.functions)
    assert len(value.text) <= 8_000
