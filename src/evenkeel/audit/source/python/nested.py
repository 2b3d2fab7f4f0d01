"""Expressions that bind or hold code of their own: comprehensions, lambdas, yields, walrus; and assignment targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from evenkeel.audit.model.facts import Assignment, Block, Function, Return, Value
from evenkeel.audit.source.python.chains import link
from evenkeel.audit.source.python.drafts import (
    Evaluate,
    Scan,
    Scope,
    content,
    evaluate,
    folded,
    open_block,
    reserve,
    scan,
    since,
    written,
)
from evenkeel.audit.source.python.grammar import BODY, PARAMETERS
from evenkeel.audit.source.python.parameters import parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

NOTHING = Value("none", "")
CLAUSES = frozenset({"for_in_clause", "if_clause"})
COMPREHENSIONS = ("list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression")


def targets(scope: Scope, node: Node, block: int) -> tuple[str, ...]:
    """The chains that an assignment, a loop or a `with` binds; several when it unpacks."""
    return tuple(_targets(scope, node, block))


def _targets(scope: Scope, node: Node, block: int) -> Iterator[str]:
    kind = node.type
    if kind == "identifier":
        yield written(scope.file, node)
    elif kind == "attribute":
        yield link(scope, node, block)[0]
    elif kind == "subscript":
        yield _element(scope, node, block)
    else:  # patterns, stars, parentheses
        for child in content(node.named_children):
            yield from _targets(scope, child, block)


def _element(scope: Scope, node: Node, block: int) -> str:
    """A subscript that is written to: what holds the element is not itself read as `x[]`."""
    holder, *indices = content(node.named_children)
    text = link(scope, holder, block)[0]
    for each in indices:
        scan(scope, each, block)
    return f"{text}[]"


def comprehension(scope: Scope, node: Node, block: int) -> None:
    """One block a `for` clause, nested; what comes before the clauses stands in the innermost.

    The blocks are opened before the element is read, and told their iterables afterwards: the element comes first in
    the source and has to know its block."""
    parts = content(node.named_children)
    clauses = [each for each in parts if each.type in CLAUSES]
    loops = [each for each in clauses if each.type == "for_in_clause"]
    inner, opened = block, []
    for loop in loops:
        asynchronous = loop.children[0].type == "async"
        inner = open_block(scope, "comprehension", inner, loop, (node.start_byte, node), is_async=asynchronous)
        opened.append(inner)
    for each in parts:
        if each.type not in CLAUSES:
            scan(scope, each, inner)
    current = block
    for each in clauses:
        if each.type == "for_in_clause":
            index = opened.pop(0)
            _tell(scope, each, current, index)
            current = index
        else:
            scan(scope, each, current)


def _tell(scope: Scope, clause: Node, outer: int, index: int) -> None:
    left, *right = (each for each in content(clause.named_children))
    names = targets(scope, left, index)
    subject = evaluate(scope, right[0], outer) if right else NOTHING
    for each in right[1:]:
        scan(scope, each, outer)
    block: Block = scope.blocks[index]
    scope.blocks[index] = msgspec.structs.replace(block, subject=subject, targets=names)


def comprehended(scope: Scope, node: Node, block: int) -> Value:
    """The value of a comprehension; `[` as its first character tells a list from a generator."""
    names = scope.file.names
    mark = len(names)
    comprehension(scope, node, block)
    return Value("comprehension", folded(scope.file, node), names=since(names, mark))


def lambda_(scope: Scope, node: Node, _block: int) -> Value:
    """A function named `<lambda>` whose body is what it returns."""
    file = scope.file
    mark = len(file.names)
    line = node.start_point[0] + 1
    qualname = f"{scope.prefix}<lambda>"
    index = reserve(file, "<lambda>", qualname, line, scope.index)
    inner = Scope(file, index, f"{qualname}.<locals>.")
    body = node.child_by_field_id(BODY) or node
    open_block(inner, "body", -1, node, (body.start_byte, body))
    given = parameters(inner, node.child_by_field_id(PARAMETERS))
    value = NOTHING if body is node else evaluate(inner, body, 0)
    inner.exits.append(Return(value, line, body.end_byte, 0))
    header = Function("<lambda>", qualname, line, node.end_point[0] + 1, scope.index, parameters=given)
    file.functions[index] = inner.finished(header)
    return Value("lambda", folded(file, node), function=index, names=since(file.names, mark))


def yielded(scope: Scope, node: Node, block: int) -> None:
    """Records a yield."""
    scope.is_generator = True
    kind: Literal["yield", "yield from"] = "yield"
    if any(each.type == "from" for each in node.children):
        kind = "yield from"
    operands = content(node.named_children)
    value = evaluate(scope, operands[0], block) if operands else NOTHING
    scope.exits.append(Return(value, node.start_point[0] + 1, node.end_byte, block, kind))


def walrus(scope: Scope, node: Node, block: int) -> Value:
    """`(x := value)` is its value."""
    parts = content(node.named_children)
    value = evaluate(scope, parts[-1], block)
    names = targets(scope, parts[0], block)
    scope.sink.append(Assignment(names, value, node.start_point[0] + 1, node.end_byte, block, ":="))
    return value


def _through(scope: Scope, node: Node, block: int) -> None:
    evaluate(scope, node, block)


SCANS: dict[str, Scan] = {
    **dict.fromkeys(COMPREHENSIONS, comprehension),
    "lambda": _through,
    "named_expression": _through,
    "yield": yielded,
}
VALUES: dict[str, Evaluate] = {
    **dict.fromkeys(COMPREHENSIONS, comprehended),
    "lambda": lambda_,
    "named_expression": walrus,
}
