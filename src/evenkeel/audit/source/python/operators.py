"""What operators make: choices, paths put together with `/`, SQL put together with `+` or `%`; the rest is other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.model.facts import Value
from evenkeel.audit.source.python.chains import STRINGS, divided
from evenkeel.audit.source.python.drafts import Evaluate, Scan, Scope, content, evaluate, folded, other, scan, since
from evenkeel.audit.source.python.literals import kept, literal, looks_like_sql

if TYPE_CHECKING:
    from tree_sitter import Node

SPINES = frozenset({"binary_operator", "boolean_operator", "comparison_operator"})


def either(scope: Scope, node: Node, block: int) -> Value:
    """`a or b` and `a if c else b`; `a and b` is other."""
    parts = content(node.children)
    if node.type == "boolean_operator" and parts[1].type != "or":
        return other(scope, node, block)
    names = scope.names
    mark = len(names)
    first = evaluate(scope, parts[0], block)
    for each in parts[1:]:
        scan(scope, each, block)
    return Value("either", folded(scope.file, node), first.call, names=since(names, mark))


def binary(scope: Scope, node: Node, block: int) -> Value:
    """SQL put together with `+` or `%` is a string whose holes are `{}`; the rest is other."""
    operands, operators = _operands(node)
    if operators == {"/"} and operands[0].type not in STRINGS:
        return _quotient(scope, node, block)
    if operands[0].type not in STRINGS or not operators <= {"+", "%"}:
        return other(scope, node, block)
    parts = [literal(scope.file, each).text if each.type in STRINGS else "{}" for each in operands]
    text = parts[0] if "%" in operators else "".join(parts)
    value = other(scope, node, block)
    return Value("string", kept(text), names=value.names) if looks_like_sql(text) else value


def _quotient(scope: Scope, node: Node, block: int) -> Value:
    """`folder / name` as a chain that ends in `/`."""
    names = scope.names
    mark = len(names)
    chain = divided(scope, node, block)
    if chain is None:
        return other(scope, node, block)
    if chain[0] == "<expr>":
        return Value("other", folded(scope.file, node), names=since(names, mark))
    return Value("name", chain[0], chain[1], names=since(names, mark))


def _operands(node: Node) -> tuple[list[Node], set[str]]:
    """Operands and operators of a chain of binary operators, which leans to the left, in source order."""
    kind = node.type
    operands: list[Node] = []
    operators: set[str] = set()
    while node.type == kind:
        parts = content(node.children)
        operands += reversed([each for each in parts[1:] if each.is_named])
        operators.add(parts[1].type)
        node = parts[0]
    operands.append(node)
    return operands[::-1], operators


def spread(scope: Scope, node: Node, block: int) -> None:
    """Scans a chain of operators with a loop: sums of a thousand terms nest a thousand deep."""
    scans = scope.scans
    kind = node.kind_id
    later: list[Node] = []
    while node.kind_id == kind:
        node, *others = content(node.named_children)
        later += reversed(others)
    scans[node.kind_id](scope, node, block)
    for each in reversed(later):
        scans[each.kind_id](scope, each, block)


SCANS: dict[str, Scan] = dict.fromkeys(SPINES, spread)
VALUES: dict[str, Evaluate] = {
    "boolean_operator": either,
    "conditional_expression": either,
    "binary_operator": binary,
}
