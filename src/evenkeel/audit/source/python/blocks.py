"""Statements that open blocks: branches, loops, `with`, `try`, `match`.

A branch taken by `elif` is an `else` block with the `if` as origin and its condition as subject, so the branches of one
`if` stand side by side; an `else` without subject is taken when no condition held. The condition of a `while` stands
inside the loop's block, because it runs as often as the body; other subjects stand in the enclosing block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import msgspec

from evenkeel.audit.model.facts import Block, BlockKind, Value
from evenkeel.audit.source.python.drafts import (
    Details,
    Scope,
    Statement,
    content,
    evaluate,
    folded,
    open_block,
    scan,
    written,
)
from evenkeel.audit.source.python.grammar import ALIAS, ALTERNATIVE, BODY, CONDITION, CONSEQUENCE, LEFT, RIGHT, VALUE
from evenkeel.audit.source.python.nested import targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

LEAVING = frozenset({"return_statement", "raise_statement", "continue_statement", "break_statement"})
CLAUSES: dict[str, BlockKind] = {"else_clause": "else", "finally_clause": "finally"}


def run(scope: Scope, nodes: Sequence[Node], block: int) -> str:
    """Records statements that follow one another; the kind of the last one when it leaves the block, else ""."""
    names = scope.names
    handlers = scope.file.handlers.statements
    last: Node | None = None
    for node in nodes:
        if node.is_extra:
            continue
        last = node
        names.clear()
        try:
            handlers[node.kind_id](scope, node, block)
        except RecursionError:
            scope.file.errors.add(node.start_point[0] + 1)
    kind = "" if last is None else last.type
    return kind if kind in LEAVING else ""


def fill(scope: Scope, body: Node | None, block: int) -> None:
    """Records the statements of a block that was opened before."""
    last = run(scope, body.named_children, block) if body is not None else ""
    if last:
        _leave(scope.blocks[block], breaks=last == "break_statement")


def _leave(block: Block, *, breaks: bool) -> None:
    msgspec.structs.force_setattr(block, "exits", True)  # not published yet
    if breaks:
        msgspec.structs.force_setattr(block, "breaks", True)


def if_(scope: Scope, node: Node, block: int) -> None:
    """`if`, each `elif`, `else`."""
    subject = _field(scope, node, CONDITION, block)
    origin = _branch(scope, "if", block, node, node.child_by_field_id(CONSEQUENCE), subject=subject)
    for each in node.children_by_field_id(ALTERNATIVE) if node.named_child_count > 2 else ():
        condition = _field(scope, each, CONDITION, block)
        body = each.child_by_field_id(CONSEQUENCE) or each.child_by_field_id(BODY)
        _branch(scope, "else", block, each, body, subject=condition, origin=origin)


def for_(scope: Scope, node: Node, block: int) -> None:
    """`for` and its `else`."""
    left = node.child_by_field_id(LEFT)
    names = () if left is None else targets(scope, left, block)
    subject = _field(scope, node, RIGHT, block)
    body = node.child_by_field_id(BODY)
    is_async = node.children[0].type == "async"
    origin = _branch(scope, "for", block, node, body, subject=subject, targets=names, is_async=is_async)
    _clauses(scope, node, block, origin)


def while_(scope: Scope, node: Node, block: int) -> None:
    """`while` and its `else`; the region starts with the condition."""
    condition = node.child_by_field_id(CONDITION)
    body = node.child_by_field_id(BODY)
    index = open_block(scope, "while", block, node, ((condition or node).start_byte, body or node))
    if condition is not None:
        _amend(scope, index, subject=evaluate(scope, condition, index))
    fill(scope, body, index)
    _clauses(scope, node, block, index)


def with_(scope: Scope, node: Node, block: int) -> None:
    """One nested block per manager; a later manager is opened inside the earlier ones."""
    is_async = node.children[0].type == "async"
    body = node.child_by_field_id(BODY)
    opened = []
    for item in _items(node):
        block = _manager(scope, item, block, body or node, is_async=is_async)
        opened.append(block)
    if body is not None and run(scope, body.named_children, block):
        for each in opened:
            _amend(scope, each, exits=True)


def _items(node: Node) -> list[Node]:
    clauses = [each for each in node.named_children if each.type == "with_clause"]
    return [item for clause in clauses for item in clause.named_children if item.type == "with_item"]


def _manager(scope: Scope, item: Node, block: int, body: Node, *, is_async: bool) -> int:
    value = item.child_by_field_id(VALUE) or item
    alias = value.child_by_field_id(ALIAS)
    subject = evaluate(scope, value if alias is None else value.named_children[0], block)
    names = () if alias is None else targets(scope, alias, block)
    region = (item.end_byte, body)
    return open_block(scope, "with", block, item, region, subject=subject, targets=names, is_async=is_async)


def try_(scope: Scope, node: Node, block: int) -> None:
    """`try` with its `except`, `else` and `finally`."""
    origin = _branch(scope, "try", block, node, node.child_by_field_id(BODY))
    for each in node.named_children:
        if each.type == "except_clause":
            _except(scope, each, block, origin)
    _clauses(scope, node, block, origin)


def _except(scope: Scope, node: Node, block: int, origin: int) -> None:
    """`except A as e`, `except (A, B)`, and `except A, B` of Python 3.14 (which Python 2 meant otherwise)."""
    parts = content(node.named_children)
    body = parts.pop() if parts and parts[-1].type == "block" else None
    alias = parts[0].child_by_field_id(ALIAS) if parts else None
    if alias is not None:
        parts[0] = parts[0].named_children[0]
    subject = _several([evaluate(scope, each, block) for each in parts])
    names = () if alias is None else targets(scope, alias, block)
    _branch(scope, "except", block, node, body, subject=subject, targets=names, origin=origin)


def _several(values: list[Value]) -> Value | None:
    """What `A, B` without parentheses is: a tuple; one value is itself."""
    if len(values) < 2:
        return values[0] if values else None
    names = tuple(dict.fromkeys(name for each in values for name in each.names))
    return Value("tuple", ", ".join(each.text for each in values), size=len(values), names=names)


def match_(scope: Scope, node: Node, block: int) -> None:
    """`match` and its cases; a case's subject is its pattern, its targets are the names that the pattern binds."""
    subject = _several([evaluate(scope, each, block) for each in node.children_by_field_name("subject")])
    body = node.child_by_field_id(BODY)
    origin = open_block(scope, "match", block, node, ((body or node).start_byte, body or node), subject=subject)
    for each in () if body is None else content(body.named_children):
        if each.type == "case_clause":
            _case(scope, each, origin)
        else:
            scan(scope, each, origin)


def _case(scope: Scope, node: Node, match: int) -> None:
    body = node.child_by_field_id(CONSEQUENCE)
    patterns = [each for each in node.named_children if each.type == "case_pattern"]
    subject = Value("other", ", ".join(folded(scope.file, each) for each in patterns))
    names = tuple(name for each in patterns for name in _captures(scope, each))
    index = open_block(
        scope, "case", match, node, (node.start_byte, body or node), subject=subject, targets=names, origin=match
    )
    guard = node.child_by_field_name("guard")
    if guard is not None:
        scan(scope, guard, index)
    fill(scope, body, index)


def _captures(scope: Scope, node: Node) -> Iterator[str]:
    """The names that a pattern binds: bare ones; dotted names and the names of classes and keywords are looked up."""
    parts = content(node.named_children)
    if node.type in {"class_pattern", "keyword_pattern"}:
        parts = parts[1:]
    for each in parts:
        bare = each.type == "identifier" or (each.type == "dotted_name" and each.named_child_count == 1)
        if bare:
            yield written(scope.file, each)
        elif each.type != "dotted_name":
            yield from _captures(scope, each)


def _clauses(scope: Scope, node: Node, block: int, origin: int) -> None:
    """The `else` and `finally` of a loop or `try`."""
    for each in node.named_children:
        kind = CLAUSES.get(each.type)
        if kind is not None:
            body = next((part for part in each.named_children if part.type == "block"), None)
            _branch(scope, kind, block, each, body, origin=origin)


def _branch(
    scope: Scope, kind: BlockKind, parent: int, header: Node, body: Node | None, **details: Unpack[Details]
) -> int:
    """Opens a block over a body and records what is in it."""
    region = body or header
    index = open_block(scope, kind, parent, header, (region.start_byte, region), **details)
    fill(scope, body, index)
    return index


def _field(scope: Scope, node: Node, field: int, block: int) -> Value | None:
    found = node.child_by_field_id(field)
    return None if found is None else scope.values[found.kind_id](scope, found, block)


def _amend(scope: Scope, index: int, **changes: Value | bool) -> None:
    scope.blocks[index] = msgspec.structs.replace(scope.blocks[index], **changes)


BLOCKS: dict[str, Statement] = {
    "if_statement": if_,
    "for_statement": for_,
    "while_statement": while_,
    "with_statement": with_,
    "try_statement": try_,
    "match_statement": match_,
}
