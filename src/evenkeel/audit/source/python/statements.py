"""Statements without blocks: assignments, returns, imports, `del`, `global`, and expressions that stand alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from evenkeel.audit.model.facts import Assignment, Import, Return, Value
from evenkeel.audit.source.python.chains import called, dotted, key_of
from evenkeel.audit.source.python.drafts import (
    MisreadError,
    Scope,
    Statement,
    content,
    contents,
    evaluate,
    folded,
    scan,
    written,
)
from evenkeel.audit.source.python.expressions import awaited_call, nothing
from evenkeel.audit.source.python.grammar import (
    ASSIGNMENT,
    ATTRIBUTE,
    AUGMENTED_ASSIGNMENT,
    AWAIT,
    CALL,
    IDENTIFIER,
    LEFT,
    OPERATOR,
    PARENTHESES,
    RIGHT,
    SUBSCRIPT,
    TYPE,
)
from evenkeel.audit.source.python.nested import NOTHING, targets
from evenkeel.audit.source.python.parameters import annotation

if TYPE_CHECKING:
    from tree_sitter import Node

SEQUENCES = frozenset({"pattern_list", "tuple_pattern", "list_pattern", "expression_list", "tuple", "list"})
Bound = tuple[tuple[str, ...], tuple[str, ...]]  # targets of an assignment, and the chains read in them
STARRED = frozenset({"list_splat", "list_splat_pattern"})


def expression(scope: Scope, node: Node, block: int) -> None:
    """A statement that is one expression; a call whose result nobody takes is discarded."""
    for each in node.named_children:
        kind = each.kind_id
        if kind == ASSIGNMENT:
            assignment(scope, each, block)
        elif kind == CALL:
            _discard(scope, called(scope, each, block))
        elif kind == AWAIT and (operand := each.children[-1]).kind_id == CALL:
            _discard(scope, awaited_call(scope, operand, block))
        elif kind == AUGMENTED_ASSIGNMENT:
            augmented(scope, each, block)
        elif kind in {AWAIT, PARENTHESES}:
            value = evaluate(scope, each, block)
            if value.kind == "call":
                _discard(scope, value.call)
        else:
            scan(scope, each, block)


def _discard(scope: Scope, call: int) -> None:
    msgspec.structs.force_setattr(scope.calls[call], "discarded", True)  # not published yet


def assignment(scope: Scope, node: Node, block: int) -> None:
    """`a = b = value`, `a: T = value`, `a: T`, `a, b = value`; `a, b = c, d` is one assignment for each pair."""
    left, right = node.child_by_field_id(LEFT), node.child_by_field_id(RIGHT)
    bound = None if left is None or (right is not None and right.kind_id == ASSIGNMENT) else _plainly(scope, left)
    if bound is None:
        _unpack(scope, node, block)
        return
    names, keys = bound
    noted = ""
    if right is None or node.named_child_count > 2:  # left and right are two
        noted = annotation(scope.file, node.child_by_field_id(TYPE))
    value = NOTHING if right is None else scope.values[right.kind_id](scope, right, block)
    line = node.start_point[0] + 1
    scope.sink.append(Assignment(names, value, line, node.end_byte, block, "=", noted, False, keys))


def _plainly(scope: Scope, target: Node) -> Bound | None:
    """What an assignment to a bare or dotted name binds, as `_bound` tells it; None for any other target."""
    if target.kind_id == IDENTIFIER:
        return (written(scope.file, target),), ()
    known = dotted(scope.file, target) if target.kind_id == ATTRIBUTE else None
    return None if known is None else (known.names, known.names)


def _unpack(scope: Scope, node: Node, block: int) -> None:
    lefts = []
    noted = ""
    right: Node | None = node
    while right is not None and right.kind_id == ASSIGNMENT:
        left = right.child_by_field_id(LEFT)
        if left is not None:
            lefts.append(left)
        noted = annotation(scope.file, right.child_by_field_id(TYPE)) or noted
        right = right.child_by_field_id(RIGHT)
    pairs = _pairs(lefts, right)
    if pairs:
        for left, each in pairs:
            _assign(scope, node, block, ([left], each), noted)
    else:
        _assign(scope, node, block, (lefts, right), noted)


def _assign(scope: Scope, node: Node, block: int, sides: tuple[list[Node], Node | None], noted: str) -> None:
    lefts, right = sides
    names, keys = _bound(scope, lefts, block)
    value = NOTHING if right is None else evaluate(scope, right, block)
    unpacked = any(left.type in SEQUENCES for left in lefts)
    line = node.start_point[0] + 1
    scope.sink.append(Assignment(names, value, line, node.end_byte, block, "=", noted, unpacked, keys))


def _bound(scope: Scope, lefts: list[Node], block: int) -> Bound:
    """The targets, and the chains read in their subscripts."""
    scope.names.clear()
    names = tuple([name for left in lefts for name in targets(scope, left, block)])
    read = dict.fromkeys(scope.names)
    scope.names.clear()
    keys = [each for each in read if not any(name.startswith(f"{each}[]") for name in names)]
    last = lefts[-1].named_children if len(lefts) == 1 and lefts[0].kind_id == SUBSCRIPT else []
    if len(last) > 1 and (key := key_of(scope.file, last[1:])).startswith("'"):
        keys.append(key)
    return names, tuple(keys)


def _pairs(lefts: list[Node], right: Node | None) -> list[tuple[Node, Node]]:
    """Target and value of each element, where both sides are written out and nothing is starred."""
    if right is None or len(lefts) != 1 or lefts[0].type not in SEQUENCES or right.type not in SEQUENCES:
        return []
    left, values = content(lefts[0].named_children), content(right.named_children)
    if len(left) != len(values) or any(each.type in STARRED for each in left + values):
        return []
    return list(zip(left, values, strict=True))


def augmented(scope: Scope, node: Node, block: int) -> None:
    """`a += value` and its like."""
    left, right = node.child_by_field_id(LEFT), node.child_by_field_id(RIGHT)
    if left is None or right is None:
        contents(scope, node, block)
        return
    operator = node.child_by_field_id(OPERATOR)
    names, keys = _bound(scope, [left], block)
    value = evaluate(scope, right, block)
    sign = "=" if operator is None else operator.type
    scope.sink.append(Assignment(names, value, node.start_point[0] + 1, node.end_byte, block, sign, keys=keys))


def delete(scope: Scope, node: Node, block: int) -> None:
    """`del a, b[c]`."""
    names, keys = _bound(scope, content(node.named_children), block)
    scope.sink.append(Assignment(names, NOTHING, node.start_point[0] + 1, node.end_byte, block, "del", keys=keys))


def return_(scope: Scope, node: Node, block: int) -> None:
    """`return value`, `raise value from cause`."""
    parts = content(node.named_children)
    value = evaluate(scope, parts[0], block) if parts else NOTHING
    for each in parts[1:]:
        scan(scope, each, block)
    kind: Literal["return", "raise"] = "raise" if node.type == "raise_statement" else "return"
    scope.exits.append(Return(value, node.start_point[0] + 1, node.end_byte, block, kind))


def alias(scope: Scope, node: Node, block: int) -> None:
    """`type X[T] = ...` is an assignment to `X`."""
    left, right = node.child_by_field_id(LEFT), node.child_by_field_id(RIGHT)
    if left is None or right is None:
        return
    name = written(scope.file, left).partition("[")[0].strip()
    if not name.isidentifier():
        if not scope.file.reparsed:
            raise MisreadError
        contents(scope, node, block)
        return
    text = folded(scope.file, right)
    value = Value("name", text, names=(text,)) if text.replace(".", "").isidentifier() else Value("other", text)
    scope.sink.append(Assignment((name,), value, node.start_point[0] + 1, node.end_byte, block))


def declared(scope: Scope, node: Node, _block: int) -> None:
    """`global` and `nonlocal`."""
    scope.globals += [written(scope.file, each) for each in node.named_children if each.type == "identifier"]


def python2(scope: Scope, node: Node, block: int) -> None:
    """`print x` and `exec x`: no Python 3, yet what they call is recorded."""
    scope.file.errors.add(node.start_point[0] + 1)
    contents(scope, node, block)


def import_(scope: Scope, node: Node, _block: int) -> None:
    """`import a.b` binds `a`; `import a.b as c` binds `c` to `a.b`."""
    for each in node.named_children:
        name, bound = _imported(scope, each)
        if name:
            top = name.partition(".")[0]
            _bind(scope, each, *((bound, name) if bound else (top, top)))


def import_from(scope: Scope, node: Node, _block: int) -> None:
    """`from module import name as other`, the module made absolute."""
    origin = node.child_by_field_name("module_name")
    module = "__future__" if origin is None else _absolute(scope, written(scope.file, origin))
    for each in node.named_children:
        if each.type == "wildcard_import":
            _bind(scope, each, "*", module)
    for each in node.children_by_field_name("name"):
        name, bound = _imported(scope, each)
        _bind(scope, each, bound or name, f"{module}.{name}" if module else name)


def _imported(scope: Scope, node: Node) -> tuple[str, str]:
    """Name and alias of one imported thing."""
    if node.type == "dotted_name":
        return "".join(written(scope.file, node).split()), ""
    if node.type == "aliased_import":
        first, *rest = content(node.named_children)
        return "".join(written(scope.file, first).split()), written(scope.file, rest[-1]) if rest else ""
    return "", ""


def _absolute(scope: Scope, text: str) -> str:
    """The module that `text` names from inside this file; dots that lead out of the known package are dropped."""
    text = "".join(text.split())
    name = text.lstrip(".")
    up = len(text) - len(name)
    if up == 0:
        return name
    parts = scope.file.package.split(".") if scope.file.package else []
    kept = parts[: max(len(parts) - up + 1, 0)]
    return ".".join([*kept, name] if name else kept)


def _bind(scope: Scope, node: Node, name: str, target: str) -> None:
    scope.file.imports.append(Import(name, target, node.start_point[0] + 1, scope.index))


STATEMENTS: dict[str, Statement] = {
    "expression_statement": expression,
    "return_statement": return_,
    "raise_statement": return_,
    "delete_statement": delete,
    "assert_statement": contents,
    "type_alias_statement": alias,
    "global_statement": declared,
    "nonlocal_statement": declared,
    "print_statement": python2,
    "exec_statement": python2,
    "import_statement": import_,
    "import_from_statement": import_from,
    "future_import_statement": import_from,
    "pass_statement": nothing,
}
