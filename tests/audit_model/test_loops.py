"""Loops: what they go through, what of it reaches a call, and which of them repeat a call once per element."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.loop_data import loop_data
from evenkeel.audit.model.loops import loop_kind, per_element
from evenkeel.audit.model.view import FunctionView
from tests.audit_model_runtime.modules import function_of

KINDS = {
    "for row in rows: ask(row)": "elements",
    "for row in sorted(rows): ask(row)": "elements",
    "for number, row in enumerate(rows): ask(row)": "elements",
    "for key, value in table.items(): ask(key)": "elements",
    "for kind in ('a', 'b', 'c'): ask(kind)": "few",
    "for kind in KINDS: ask(kind)": "few",
    "for state in State: ask(state)": "few",
    "for kind in set(table).intersection(KINDS): ask(kind)": "few",
    "for kind in set(KINDS).intersection(rows): ask(kind)": "few",
    "for kind in set(KINDS).difference(rows): ask(kind)": "few",
    "for kind in set(rows).difference(KINDS): ask(kind)": "elements",
    "for kind in set(rows).intersection(table): ask(kind)": "elements",
    "kinds = set(table.KINDS)\n    for kind in kinds: ask(kind)": "few",
    "kinds = set(KINDS)\n    kinds.update(rows)\n    for kind in kinds: ask(kind)": "elements",
    "kinds = set(KINDS)\n    kinds = set(rows)\n    for kind in kinds: ask(kind)": "elements",
    "kinds = sorted(rows)\n    for kind in kinds: ask(kind)": "elements",
    "for number in range(3): ask(number)": "few",
    "for number in range(len(rows)): ask(number)": "elements",
    "for start in range(0, len(rows), 100): ask(rows[start:start + 100])": "batches",
    "for batch in rows: ask(batch)": "batches",
    "for part in chunked(rows, 100): ask(part)": "batches",
    "for attempt in range(max_attempts): ask(attempt)": "attempts",
    "for number in count(): ask(number)": "attempts",
    "while True: ask(rows)": "events",
    "while attempts < 3: attempts = attempts + 1; ask(attempts)": "attempts",
    "while offset < total: ask(offset); offset += 100": "batches",
    "while node: node = ask(node)": "walk",
    "async for event in source: ask(event)": "events",
}


def body(statement: str) -> FunctionView:
    return function_of(
        f"KINDS = ('a', 'b')\nasync def f(rows, table, source, node, total, max_attempts):\n    {statement}\n"
    )


@pytest.mark.parametrize(("statement", "kind"), KINDS.items())
def test_kinds(statement: str, kind: str) -> None:
    function = body(statement)
    loops = [number for number, each in enumerate(function.fact.blocks) if each.kind in {"for", "while"}]
    assert [loop_kind(function, each) for each in loops] == [kind]


def test_a_literal_that_grows_is_not_few() -> None:
    function = body("names = []\n    names.append(rows)\n    for name in names: ask(name)")
    assert loop_kind(function, 1) == "elements"


def test_loop_data_flows_through_names_elements_and_inner_loops() -> None:
    function = function_of("""
def f(orders, rate):
    for order in orders:
        total = order.price * rate
        label["x"] = total
        for line in order.lines:
            other = rate
    return label
""")
    assert loop_data(function.fact, 1) == {"order", "total", "label", "line"}


def test_what_self_keeps_is_loop_data_by_attribute() -> None:
    function = function_of(
        "class A:\n    def f(self, rows):\n        for row in rows:\n            self.current = row.id\n"
    )
    assert loop_data(function.fact, 1) == {"row", "self.current"}


REPEATED = {
    "for row in rows: ask(row)": "for",
    "for row in rows: ask(row.id)": "for",
    "for row in rows: row.ask()": "for",
    "for row in rows: start(row).ask()": "for",
    "[ask(row) for row in rows]": "comprehension",
    "for row in rows:\n        for kind in ('a', 'b'): ask(row, kind)": "for",
    "for row in rows: ask(1)": "",
    "for row in ask(rows): print(row)": "",
    "for row in rows:\n        if row.fits: return ask(row)": "",
    "for row in rows:\n        if row.fits:\n            ask(row)\n            break": "",
    "for row in rows:\n        if row.fits:\n            ask(row)\n            continue": "for",
    "for attempt in range(5): ask(attempt)": "",
    "ask(rows)": "",
}


@pytest.mark.parametrize(("statement", "kind"), REPEATED.items())
def test_repeated_calls(statement: str, kind: str) -> None:
    function = body(statement)
    asked = next(each for each in function.calls if each.name == "ask")
    repetition = per_element(asked)
    assert (repetition.block.kind if repetition is not None else "") == kind
