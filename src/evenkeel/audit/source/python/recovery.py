"""Parsing on after an error: a bracket that is never closed must not swallow the rest of the file.

The grammar repairs most errors within a statement. Where an error reaches over the start of a later definition at the
left margin, the lines from the error to that definition are blanked out and the file is parsed again, a few times at
most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

ATTEMPTS = 8
MARGIN = re.compile(rb"^(?:(?:async[ \t]+def|def|class|import|from)[ \t]|@)", re.MULTILINE)
NOT_NEWLINE = re.compile(rb"[^\n]")


def parsed(source: bytes, parse: Callable[[bytes], Tree]) -> tuple[Tree, set[int]]:
    """The best tree that can be had (its positions are those of `source`), and the 1-based lines of errors in it."""
    tree = parse(source)
    lines: set[int] = set()
    for _ in range(ATTEMPTS if tree.root_node.has_error else 0):
        gap = _swallowed(source, tree.root_node)
        if gap is None:
            break
        start, end = gap
        lines.add(source.count(b"\n", 0, start) + 1)
        source = source[:start] + NOT_NEWLINE.sub(b" ", source[start:end]) + source[end:]
        tree = parse(source)
    lines.update(each.start_point[0] + 1 for each in _errors(tree.root_node))
    return tree, lines


def _swallowed(source: bytes, root: Node) -> tuple[int, int] | None:
    """From the last error before a swallowed definition to that definition; None when nothing was swallowed."""
    errors = sorted(_errors(root), key=lambda each: each.start_byte)
    for error in errors:
        margin = MARGIN.search(source, error.start_byte + 1, error.end_byte)
        if margin is not None:
            before = [each.start_byte for each in errors if each.start_byte < margin.start()]
            start = source.rfind(b"\n", 0, max(before)) + 1
            return (start, margin.start()) if source[start : margin.start()].strip() else None
    return None


def _errors(root: Node) -> Iterator[Node]:
    """Nodes that the grammar could not read. Defaults of type parameters (PEP 696), newer than it, are no errors."""
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            yield node
        if node.type != "type_parameter":
            pending += [each for each in node.children if each.has_error]
