"""Syntax newer than the host's Python, older than it, and wrong: what can be read is read, the rest is told by line."""

from __future__ import annotations

import pytest

from tests.source.reading import calls_text, facts_of, function, tree_text

READ = {
    "695 function": "def first[T: Base](items: list[T]) -> T: return call(items)\n",
    "695 alias": "type Pair[T] = tuple[T, T]\ncall()\n",
    "695 class": "class Box[T, *Ts, **P](Base): x = call()\n",
    "696 default": "class Box[T = int]: x = call()\n",
    "646 star": "def f(*args: *Ts): call(a[*b])\n",
    "654 group": "try: call()\nexcept* OSError: pass\n",
    "701 f-string": 'x = f"{call(f"{"a"}")}"\n',
    "701 lines": 'x = f"{\n  call(1)  # why\n}"\n',
    "750 t-string": 'x = t"{call(1)}"\n',
    "758 except": "try: call()\nexcept A, B: pass\n",
    "614 decorator": "@a[0].b\ndef f(): call()\n",
    "634 match": "match call(x):\n    case 1: pass\n",
    "match as a name": "match = call(x)\nmatch.y = 1\nprint(match)\n",
    "type as a call": "type(x).y = call(z)\n",
    "type as a call, annotated": "type(x).y: int = call(z)\n",
    "type as an element": "type[x] = call(z)\n",
    "572 walrus": "if (n := call()): pass\n",
    "570 positional": "def f(a, /, b): call()\n",
    "non-ASCII names": "größe = call(ñ)\n",
    "form feed": "\f\nx = call()\n",
    "continuation": "x = \\\n  call()\n",
    "semicolons": "import a; x = call(); del x\n",
}


@pytest.mark.parametrize("name", READ)
def test_it_is_read_without_errors(name: str) -> None:
    facts = facts_of(READ[name])
    assert facts.errors == ()
    assert "call" in [each.callee for owner in facts.functions for each in owner.calls]


def test_type_parameters_are_a_generic_base() -> None:
    facts = facts_of("class A[T: (int, str), *Ts, **P, D = dict[str, int]](Base): ...\nclass B[T]: ...\n")
    assert [each.bases for each in facts.classes] == [("Base", "Generic[T, *Ts, **P, D]"), ("Generic[T]",)]


def test_except_without_parentheses_has_several_types() -> None:
    facts = facts_of("try: a()\nexcept OSError, b.Error: c()\n")
    assert tree_text(facts.functions[0]) == "1 try: a\n2 except of 1 [OSError, b.Error]: c"
    subject = facts.functions[0].blocks[2].subject
    assert subject is not None
    assert (subject.kind, subject.size, subject.names) == ("tuple", 2, ("OSError", "b.Error"))


def test_an_assignment_to_what_type_gives() -> None:
    code = facts_of("type(mock).attribute = value\n").functions[0]
    assert calls_text(code) == ["type(name)"]
    assert [each.targets for each in code.assignments] == [("<call>.attribute",)]


def test_python_2() -> None:
    facts = facts_of('print "total", total()\nexec "code" in scope()\nprint >>out, x\ny = after()\n')
    assert facts.errors == (1, 2, 3)
    assert calls_text(facts.functions[0]) == ["total()", "scope()", "after()"]


@pytest.mark.parametrize(
    ("source", "line", "kept"),
    [
        ("def g(:\n    a(1)\n\ndef h():\n    b(2)\n", 1, ["a", "b"]),
        ("def g():\n    a(1)\n    x = = 3\n    b(2)\n", 3, ["a", "b"]),
        ("a(1)\n)\nb(2)\n", 2, ["a", "b"]),
        ("class A(\n\ndef f():\n    b(2)\n", 1, ["b"]),
        ("a(1)\nx = '\nb(2)\n", 2, ["a", "b"]),
        ("async def f():\n    await a(\n\ndef g():\n    b(2)\n", 2, ["b"]),
        ("<<<<<<< HEAD\na(1)\n=======\nb(2)\n>>>>>>> branch\n", 1, ["a", "b"]),
    ],
)
def test_code_around_an_error_is_read(source: str, line: int, kept: list[str]) -> None:
    facts = facts_of(source)
    assert line in facts.errors
    found = [each.callee for owner in facts.functions for each in owner.calls]
    assert [each for each in found if each in {"a", "b"}] == kept


@pytest.mark.parametrize(
    "start",
    [
        "x = (1,\n",
        "def e():\n    x = foo(1\n    y = 2\n",
        "class A(\n",
        "x = [{\n\n",
        "def e():\n  if x == (:\n    y()\n",
    ],
)
def test_an_open_bracket_swallows_no_definitions(start: str) -> None:
    after = "\ndef f():\n    return a(1)\n\n@b\nclass B:\n    def g(self): c()\n\nd()\n"
    facts = facts_of(start + after)
    assert facts.errors
    assert calls_text(function(facts, "f")) == ["a(number)"]
    assert calls_text(function(facts, "B.g")) == ["c();"]
    assert [each.qualname for each in facts.classes if each.qualname != "A"] == ["B"]
    assert calls_text(facts.functions[0])[-1] == "d();"
    lines = start.count("\n")
    assert (function(facts, "f").line, max(facts.errors) <= lines) == (lines + 2, True)


def test_two_open_brackets_are_both_told() -> None:
    facts = facts_of("x = (\ndef f(): a()\ny = [\ndef g(): b()\n")
    assert facts.errors == (1, 3)
    assert [calls_text(each) for each in facts.functions] == [[], ["a();"], ["b();"]]
