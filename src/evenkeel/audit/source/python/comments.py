"""Comments that speak to evenkeel, `# evenkeel: ...`, and the statement that each of them speaks of.

A comment behind code speaks of the statement it stands behind; a comment on a line of its own, of the next statement.
Of a compound statement (`for`, `def`, ...) that is its head, decorators included, not its body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.source.python.drafts import FileDraft, real

if TYPE_CHECKING:
    from tree_sitter import Node

SUPPRESSION = re.compile(r"#\s*evenkeel:[ \t]*(.*)")
CODE = re.compile(r"^[ \t\f]*(?=[^\s#])", re.MULTILINE)
BODIES = frozenset({"module", "block"})
CLAUSES = frozenset(
    {"elif_clause", "else_clause", "except_clause", "except_group_clause", "finally_clause", "case_clause"}
)

Spans = tuple[tuple[int, int], ...]


def suppressions(file: FileDraft, root: Node) -> tuple[tuple[tuple[int, str], ...], Spans]:
    """Line and text of each `# evenkeel: ...` that is a comment and not part of a string; and, in the same order, the
    first and last line of what it speaks of."""
    if "evenkeel:" not in file.text:
        return (), ()
    found: list[tuple[int, str]] = []
    spans: list[tuple[int, int]] = []
    for match in SUPPRESSION.finditer(file.text):
        node = root.descendant_for_byte_range(match.start(), match.start() + 1)
        if node is not None and node.type == "comment":
            found.append((node.start_point[0] + 1, real(file, match[1]).strip()))
            spans.append(_span(file.text, root, node))
    return tuple(found), tuple(spans)


def _span(text: str, root: Node, comment: Node) -> tuple[int, int]:
    own = comment.start_point[0] + 1
    start = text.rfind("\n", 0, comment.start_byte) + 1
    before = text[start : comment.start_byte].rstrip()
    if before:
        place = start + len(before) - 1
    else:
        code = CODE.search(text, comment.end_byte)
        if code is None:
            return own, own
        place = code.end()
    first, last = _head(_statement(root.descendant_for_byte_range(place, place + 1)))
    return min(first, own), max(last, own)


def _statement(node: Node | None) -> Node | None:
    """The innermost statement or clause that a node is part of."""
    while node is not None and node.type not in CLAUSES and node.parent is not None:
        if node.parent.type in BODIES:
            break
        node = node.parent
    return node


def _head(statement: Node | None) -> tuple[int, int]:
    """First and last line, 1-based, of a statement without its body."""
    if statement is None or statement.type in BODIES:
        return 1, 1
    first, last = statement.start_point[0], statement.end_point[0]
    inner = statement.child_by_field_name("definition") or statement  # below its decorators
    body = next((each for each in inner.children if each.type == "block"), None)
    if body is not None:
        last = max(inner.start_point[0], body.start_point[0] - 1)
    return first + 1, last + 1
