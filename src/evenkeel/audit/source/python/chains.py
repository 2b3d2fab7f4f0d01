"""Chains and calls: `self.repo.session.execute(query).scalars` as a path of links from its root outwards.

A chain is followed with a loop, not by recursion, so that a query built by a hundred chained calls costs no stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evenkeel.audit.model.facts import Argument, Call, Value
from evenkeel.audit.source.python.drafts import FileDraft, Scope, add_read, content, evaluate, real, scan, written
from evenkeel.audit.source.python.grammar import (
    ARGUMENT_LIST,
    ATTRIBUTE,
    CALL,
    DICTIONARY_SPLAT,
    IDENTIFIER,
    KEYWORD_ARGUMENT,
    LIST_SPLAT,
    SUBSCRIPT,
)

if TYPE_CHECKING:
    from tree_sitter import Node

Chain = tuple[str, int]  # text, and the call it starts from (-1: none)
Link = tuple[int, "Node", list["Node"]]  # kind, node, children

LINKS = frozenset({"attribute", "call", "subscript"})
LINK_KINDS = frozenset({ATTRIBUTE, CALL, SUBSCRIPT})
STRINGS = frozenset({"string", "concatenated_string"})
WRAPPERS = frozenset({"await", "named_expression"})
EITHER = frozenset({"boolean_operator", "conditional_expression"})
CONSTANTS = ("None.", "True.", "False.")
SPLATS = {LIST_SPLAT: "*", DICTIONARY_SPLAT: "**"}
KEYED = frozenset({KEYWORD_ARGUMENT, *SPLATS})  # arguments with a keyword or stars


def link(scope: Scope, node: Node, block: int) -> Chain:
    """The chain an expression makes; records everything inside it but the read of its last attribute."""
    names = scope.names
    spine, base, text = _spine(scope, node)
    mark, receiver = len(names), -1
    if text:
        names.append(text)
    else:
        mark = -1
        text, receiver = _root(scope, base, block)
    keys: tuple[str, ...] = ()
    for kind, each, children in reversed(spine):
        if kind == CALL:
            if mark >= 0:
                names[mark] = text
                mark = -1
            receiver = _call(scope, each, children[-1], (text, receiver), block, keys if any(keys) else ())
            text, keys = "<call>", ()
        elif kind == ATTRIBUTE:
            text = f"{text}.{written(scope.file, children[-1])}"
        else:
            _subscript(scope, children, (text, receiver), block)
            keys = (*keys, key_of(scope.file, children[2:-1]))
            text += "[]"
    if mark >= 0:
        names[mark] = text
    return text, receiver


def called(scope: Scope, node: Node, block: int) -> int:
    """Records a call and everything inside it, and answers its number: `link` for calls, most of which are of a plain name."""
    children = node.children
    callee = children[0]
    kind = callee.kind_id
    known = dotted(scope.file, callee) if kind == ATTRIBUTE else None
    text = known.text if known is not None else written(scope.file, callee) if kind == IDENTIFIER else ""
    if not text:
        return link(scope, node, block)[1]
    scope.names.append(text)
    return _call(scope, node, children[-1], (text, -1), block, ())


def load(scope: Scope, node: Node, block: int) -> Chain:
    """`link` for an expression whose value is used: an attribute at its end is read."""
    chain = link(scope, node, block)
    if node.kind_id == ATTRIBUTE:
        add_read(scope, chain, node, block)
    return chain


def _spine(scope: Scope, node: Node) -> tuple[list[Link], Node, str]:
    """The links from the outermost inwards, the innermost node, and its text when that is a plain dotted name."""
    file = scope.file
    spine: list[Link] = []
    kind = node.kind_id
    while kind in LINK_KINDS:
        if kind == ATTRIBUTE and (plain := dotted(file, node)) is not None:
            return spine, node, plain.text
        children = node.children
        spine.append((kind, node, children))
        node = children[0]
        kind = node.kind_id
    return spine, node, written(file, node) if kind == IDENTIFIER else ""


def dotted(file: FileDraft, node: Node) -> Value | None:
    """The value of an attribute that is a dotted name and nothing else, made once a file; else None."""
    text = file.text[node.start_byte : node.end_byte]
    value = file.dotted.get(text)
    if value is None and text.replace(".", "").isidentifier() and not text.startswith(CONSTANTS):
        shown = text if file.ascii else real(file, text)
        value = file.dotted[text] = Value("name", shown, names=(shown,))
    return value


def _root(scope: Scope, node: Node, block: int) -> Chain:
    """The root of a chain that is no plain name."""
    kind = node.type
    while kind == "parenthesized_expression" and len(inner := content(node.named_children)) == 1:
        node, kind = inner[0], inner[0].type
    if kind in LINKS or kind == "identifier":
        return link(scope, node, block)
    if kind in WRAPPERS:
        value = evaluate(scope, node, block)
        if value.kind == "call":
            return "<call>", value.call
        return (value.text, value.call) if value.kind == "name" and not value.awaited else ("<expr>", -1)
    if kind == "binary_operator":
        quotient = divided(scope, node, block)
        if quotient is not None:
            return quotient
    if kind in EITHER:
        return _either(scope, node, block)
    scan(scope, node, block)
    return "<str>" if kind in STRINGS else "<expr>", -1


def _either(scope: Scope, node: Node, block: int) -> Chain:
    """`(session or self.session)`, `(a if c else b)`: the chain of one branch, for they are of one kind.

    The last branch of `or` comes first, because it is what the code falls back on: made or kept, and so the better known;
    the branch before stands in where that is a literal."""
    chains = [_branch(scope, each, block) for each in content(node.named_children)]
    ordered = chains if node.type == "conditional_expression" else chains[::-1]
    return next((each for each in ordered if each[0] != "<expr>"), ("<expr>", -1))


def _branch(scope: Scope, node: Node, block: int) -> Chain:
    while node.type == "parenthesized_expression" and len(inner := content(node.named_children)) == 1:
        node = inner[0]
    if node.type in EITHER:
        return _either(scope, node, block)
    value = evaluate(scope, node, block)
    if value.kind == "call":
        return "<call>", value.call
    return (value.text, value.call) if value.kind == "name" and not value.awaited else ("<expr>", -1)


def divided(scope: Scope, node: Node, block: int) -> Chain | None:
    """`folder / name / part`, a chain whose last link is `/`: paths are put together so. None for other operators.

    What is divided is a value that is used, so an attribute there is read; numbers and the like make no chain."""
    divisors: list[Node] = []
    while node.type == "binary_operator":
        parts = content(node.children)
        if parts[1].type != "/":
            return None
        divisors.append(parts[-1])
        node = parts[0]
    linked = node.type in LINKS or node.type == "identifier"
    text, receiver = (load if linked else _root)(scope, node, block)
    for each in reversed(divisors):
        scan(scope, each, block)
    return ("<expr>", -1) if text in {"<expr>", "<str>"} else (f"{text}./", receiver)


def _subscript(scope: Scope, children: list[Node], chain: Chain, block: int) -> None:
    add_read(scope, chain, children[0], block, subscript=True)
    for child in children[2:-1]:
        scan(scope, child, block)


def key_of(file: FileDraft, inside: list[Node]) -> str:
    """What stands between the brackets: `'db'` for a literal that could be a name, `DB` for a dotted name, else ""."""
    if len(inside) != 1:
        return ""
    kind, text = inside[0].type, written(file, inside[0])
    if kind == "string":
        key = text.strip("'\"")
        return f"'{key}'" if key.isidentifier() else ""
    return text if kind in {"identifier", "attribute"} and text.replace(".", "").isidentifier() else ""


def _call(scope: Scope, node: Node, last: Node, chain: Chain, block: int, keys: tuple[str, ...]) -> int:
    """Records a call whose callee is the chain, and answers its number."""
    calls = scope.calls
    first = len(calls)
    arguments: list[Argument] = []
    if last.kind_id != ARGUMENT_LIST:  # a bare generator expression
        arguments.append(Argument("", evaluate(scope, last, block)))
    elif last.named_child_count:
        values = scope.values
        for each in last.named_children:
            kind = each.kind_id
            if kind in KEYED:
                arguments.append(argument(scope, each, block))
            elif not each.is_extra:
                arguments.append(Argument("", values[kind](scope, each, block)))
    index = len(calls)
    if index > first:
        for inner in calls[first:]:
            if inner.parent < 0:
                msgspec.structs.force_setattr(inner, "parent", index)  # still ours: nobody has seen this call yet
    row, column = node.start_point
    callee, receiver = chain
    end_line, end = node.end_point[0] + 1, node.end_byte
    given = tuple(arguments)
    calls.append(Call(callee, receiver, row + 1, end_line, column, end, block, given, False, -1, False, keys))
    return index


def argument(scope: Scope, node: Node, block: int) -> Argument:
    """One argument of a call or a class, with its keyword or stars."""
    kind = node.kind_id
    if kind == KEYWORD_ARGUMENT:
        children = node.children
        value = children[-1]
        return Argument(written(scope.file, children[0]), scope.values[value.kind_id](scope, value, block))
    if kind in SPLATS:
        return Argument(SPLATS[kind], evaluate(scope, node.children[-1], block))
    return Argument("", scope.values[kind](scope, node, block))
