"""What becomes of a value inside one function, and whether a copy of it protects anybody."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.copies import has_plain_elements, is_steady, uses_of
from tests.audit_model_runtime.modules import function_of

HEADER = """
import json
import logging

log = logging.getLogger(__name__)

def reads(rows):
    return sum(len(row) for row in rows)

def writes(rows):
    rows[0]["a"] = 1

def keeps(rows):
    return rows

def f(rows, other):
"""
READS = {
    "length": "return len(rows)",
    "log": "log.info('x %s', rows)",
    "text": "return json.dumps(rows)",
    "method": "return str(rows.get('a'))",
    "loop": "for row in rows:\n    log.info(row['a'])",
    "function": "return reads(rows)",
    "part": "row = rows[0]\nprint(row['a'])",
}
TOUCHES = {
    "element": "rows['a'] = 1",
    "attribute": "rows.name = 1",
    "delete": "del rows['a']",
    "method": "rows.append(1)",
    "part": "row = rows[0]\nrow['a'] = 1",
    "loop": "for row in rows:\n    row['a'] = 1",
    "returned": "return rows",
    "part returned": "return rows[0]",
    "yielded": "yield rows",
    "kept": "other.rows = rows",
    "unknown": "other.take(rows)",
    "function writes": "writes(rows)",
    "function keeps": "other = keeps(rows)",
    "closure": "def inner():\n    return rows[0]\nreturn inner",
}


def body(code: str) -> str:
    return HEADER + "".join(f"    {line}\n" for line in code.splitlines())


@pytest.mark.parametrize("code", READS.values(), ids=READS)
def test_reading(code: str) -> None:
    assert uses_of(function_of(body(code)), {"rows"}, -1).only_reads


@pytest.mark.parametrize("code", TOUCHES.values(), ids=TOUCHES)
def test_more_than_reading(code: str) -> None:
    assert not uses_of(function_of(body(code)), {"rows"}, -1).only_reads


def test_elements_that_nobody_can_write_into() -> None:
    function = function_of(body("best = max(rows[0], 1)\nreturn best"))
    assert not uses_of(function, {"rows"}, -1).only_reads
    assert uses_of(function, {"rows"}, -1, plain=True).only_reads


@pytest.mark.parametrize(
    ("text", "plain"),
    [("dict[str, int]", True), ("list[str]", True), ("list[dict]", False), ("list", False), ("dict[str, list]", False)],
)
def test_plain_elements(text: str, plain: bool) -> None:
    assert has_plain_elements(text) is plain


@pytest.mark.parametrize(
    ("code", "steady"),
    [
        ("print(rows)\nprint(other)", True),
        ("rows['a'] = 1", False),
        ("other.change(rows)", False),
        ("other.change()", True),
    ],
)
def test_a_local_original_stays(code: str, steady: bool) -> None:
    assert is_steady(function_of(body(code)), "rows", -1, 1 << 60) is steady


def test_what_is_shared_stays_only_while_nothing_else_runs() -> None:
    assert is_steady(function_of(body("print(rows)")), "self.rows", -1, 1 << 60)
    assert not is_steady(function_of(body("other.change()")), "self.rows", -1, 1 << 60)
