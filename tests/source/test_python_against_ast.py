"""The reader against CPython's own parser, on the standard library: every fact of every file must be the same.

Not compared, each for its reason: where a class ends (tree-sitter counts a comment after its last statement); lines
of `else`, `finally`, `with` items and comprehensions (`ast` has no node for them); where a lambda's body ends (`ast`
leaves its parentheses out); positions of calls inside f-strings (CPython before 3.12 counts them from elsewhere, so
these calls are compared without positions).
"""

from __future__ import annotations

import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from evenkeel.audit.model.facts import Assignment, FileFacts, Function, Value
from evenkeel.audit.source.python.expressions import TYPE_FORMS
from evenkeel.audit.source.python.reader import read
from tests.source.ast_facts import Reader, Row

LIBRARY = Path(sysconfig.get_path("stdlib"))
FOLDERS = (
    "asyncio concurrent/futures email http importlib json logging multiprocessing sqlite3 unittest urllib wsgiref"
    " xml/dom xml/etree collections ctypes curses dbm"
)
TYPE_FORM = re.compile(rf"(?:\w+\.)*(?:{'|'.join(TYPE_FORMS)})\[[^\[]*(?:\[.*)?\]")
SHARES = 8  # of the modules at the top of the library, so that no test takes long


def groups() -> list[tuple[str, list[Path]]]:
    top = sorted(LIBRARY.glob("*.py"))
    shares = [(f"top-{each}", top[each::SHARES]) for each in range(SHARES)]
    return shares + [(folder, sorted((LIBRARY / folder).glob("*.py"))) for folder in FOLDERS.split()]


@pytest.mark.parametrize(("name", "files"), groups(), ids=[name for name, _ in groups()])
def test_every_fact_is_what_cpython_sees(name: str, files: list[Path]) -> None:
    assert files, "the standard library is not where sysconfig says"
    for path in files:
        source = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old modules
            told = Reader(source)
        facts = read(source, "package/inner/name.py", "package.inner.name")
        assert not facts.errors, path
        compare(path, told, facts)


def test_the_comparison_covers_what_it_should() -> None:
    seen: Counter[str] = Counter()
    for path in dict(groups())["asyncio"]:
        facts = read(path.read_bytes(), "package/inner/name.py", "package.inner.name")
        for function in facts.functions:
            seen["awaited"] += sum(each.awaited for each in function.calls)
            seen["discarded"] += sum(each.discarded for each in function.calls)
            seen["in a loop"] += sum("for" in block_name(function, each.block) for each in function.calls)
            seen["in with"] += sum("with" in block_name(function, each.block) for each in function.calls)
            seen["reads"] += len(function.reads)
    assert min(seen.values()) >= 25, seen
    assert seen["reads"] > 1_000


def compare(path: Path, told: Reader, facts: FileFacts) -> None:
    rows = told.rows
    functions = facts.functions
    same(path, rows.functions, (function_row(each) for each in functions))
    same(path, rows.classes, class_rows(facts))
    same(path, rows.imports, ((functions[each.function].qualname, each.name, each.target) for each in facts.imports))
    same(path, rows.decorators, decorator_rows(facts))
    same(path, rows.blocks, (row for each in functions for row in block_rows(each)))
    same(path, rows.assignments, assignment_rows(facts))
    same(path, rows.exits, (row for each in functions for row in exit_rows(each)))
    same(path, rows.reads, {row for each in functions for row in read_rows(each)})
    calls = [row for each in functions for row in call_rows(each)]
    same(path, (row[:1] + row[4:] for row in rows.calls), (row[:1] + row[4:] for row in calls))
    links = [row for each in functions for row in link_rows(each)]
    assert Counter(rows.links) - Counter(links) == Counter(), path
    missing = Counter(row for row in rows.calls if row not in told.in_strings) - Counter(calls)
    assert not missing, path


def same(path: Path, wanted: Iterable[Row], found: Iterable[Row]) -> None:
    left, right = Counter(wanted), Counter(found)
    assert left - right == Counter(), f"{path}: only in ast"
    assert right - left == Counter(), f"{path}: only in facts"


def block_name(function: Function, index: int) -> str:
    kinds = []
    while index >= 0:
        kinds.append(function.blocks[index].kind)
        index = function.blocks[index].parent
    return "/".join(reversed(kinds))


def function_row(each: Function) -> Row:
    parameters = tuple((parameter.name, parameter.kind) for parameter in each.parameters)
    return (each.qualname, each.line, each.is_async, each.is_generator, parameters)


def class_rows(facts: FileFacts) -> Iterable[Row]:
    for each in facts.classes:
        keywords = tuple(argument.keyword for argument in each.keywords)
        function = facts.functions[each.parent].qualname
        yield (each.qualname, each.line, function, len(each.bases), keywords)


def decorator_rows(facts: FileFacts) -> Iterable[Row]:
    decorated = [(each.qualname, each.decorators) for each in facts.functions]
    decorated += [(each.qualname, each.decorators) for each in facts.classes]
    for qualname, decorators in decorated:
        for each in decorators:
            yield (qualname, each.line, each.chain, each.called)


def block_rows(function: Function) -> Iterable[Row]:
    for index, each in enumerate(function.blocks):
        if function.name == "<module>" and index == 0:
            continue
        unknown = each.kind in {"finally", "with", "comprehension"} or (each.kind == "else" and each.subject is None)
        targets = tuple(sorted(each.targets)) if each.kind == "case" else each.targets
        line = 0 if unknown else each.line
        yield (function.qualname, block_name(function, index), line, each.is_async, targets, each.exits)


def assignment_rows(facts: FileFacts) -> Iterable[Row]:
    for function in facts.functions:
        for each in function.assignments:
            yield assignment_row(function, each, attribute=False)
    for owner in facts.classes:
        for each in owner.attributes:
            yield assignment_row(facts.functions[owner.parent], each, attribute=True)


def assignment_row(function: Function, each: Assignment, *, attribute: bool) -> Row:
    block = block_name(function, each.block)
    row = (function.qualname, each.line, each.position, block, each.targets, each.operator)
    return (*row, bool(each.annotation), each.unpacked, attribute, kind(each.value))


def kind(value: Value) -> str:
    """Elements and type forms are both subscripts; SQL put together, a string to the reader, is a sum."""
    if value.kind == "string" and value.size < 0:
        return "other"
    if (value.kind == "name" and value.text.endswith("[]")) or (
        value.kind == "other" and TYPE_FORM.fullmatch(value.text)
    ):
        return "element"
    return value.kind


def link_rows(function: Function) -> Iterable[Row]:
    calls = function.calls
    for each in calls:
        parent = calls[each.parent].position if each.parent >= 0 else None
        receiver = calls[each.receiver].position if each.receiver >= 0 else None
        yield (function.qualname, each.position, parent, receiver)


def exit_rows(function: Function) -> Iterable[Row]:
    for each in function.exits:
        implied = function.name == "<lambda>" and each.kind == "return"
        position = None if implied else each.position
        line = function.line if implied else each.line
        yield (function.qualname, line, position, block_name(function, each.block), each.kind)


def read_rows(function: Function) -> Iterable[Row]:
    for each in function.reads:
        yield (function.qualname, each.chain, block_name(function, each.block), each.subscript)


def call_rows(function: Function) -> Iterable[Row]:
    for each in function.calls:
        keywords = tuple(sorted(argument.keyword for argument in each.arguments))
        start = (function.qualname, each.line, each.column, each.position)
        yield (*start, each.callee, block_name(function, each.block), each.awaited, each.discarded, keywords)
