"""String literals: their text without quotes, SQL kept whole.

Positions and sizes are in bytes until the text is decoded; a hole of an f-string counts as the two characters `{}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from evenkeel.audit.source.python.drafts import EXCERPT_LENGTH, FileDraft, content, real

if TYPE_CHECKING:
    from tree_sitter import Node

SQL_LENGTH = 8_000  # characters kept of a string that looks like SQL
SQL = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:SELECT|INSERT|UPDATE|DELETE|WITH|NOTIFY|LISTEN|UNLISTEN|CREATE|ALTER|DROP|MERGE|REPLACE|TRUNCATE|BEGIN|START"
    r"|COMMIT|ROLLBACK|SAVEPOINT|LOCK|VACUUM|ANALYZE|EXPLAIN|CALL|COPY|REFRESH|PRAGMA|VALUES|DECLARE|FETCH|SET|DO)(?=[\s(;]|$)",
    re.IGNORECASE | re.DOTALL,
)
QUOTES = ('"', "'")
OPENING = re.compile(r"([A-Za-z]*)(\"\"\"|'''|\"|'|`)")
ESCAPE = re.compile(r"\\(\r?\n|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": "", "\r\n": ""}


class Literal(NamedTuple):
    """A string literal: text, and the nodes of the expressions in its holes."""

    text: str
    holes: tuple[Node, ...] = ()


def looks_like_sql(text: str) -> bool:
    """Whether the text starts as SQL statements do; comments and parentheses before the first word are skipped."""
    return SQL.match(text, 0, EXCERPT_LENGTH) is not None


def literal(file: FileDraft, node: Node) -> Literal:
    """The literal of a `string` or `concatenated_string` node, implicit concatenation joined."""
    if node.type == "string":
        return _single(file, node)
    parts = [_single(file, each) for each in content(node.named_children) if each.type == "string"]
    return Literal("".join(each.text for each in parts), tuple(hole for each in parts for hole in each.holes))


def is_bytes(file: FileDraft, node: Node) -> bool:
    """Whether a literal is bytes and not text."""
    opening = OPENING.match(file.text, node.start_byte, node.end_byte)
    return opening is not None and "b" in opening[1].lower()


def kept(text: str) -> str:
    """As much of a literal's text as facts hold."""
    if len(text) <= EXCERPT_LENGTH:
        return text
    return text[: SQL_LENGTH if looks_like_sql(text) else EXCERPT_LENGTH]


def _single(file: FileDraft, node: Node) -> Literal:
    source = file.text
    start, end = node.start_byte, node.end_byte
    first = source[start : start + 1]
    if first in QUOTES:
        width = 3 if source.startswith(first * 3, start, end) else 1
        return Literal(_unescaped(real(file, source[start + width : end - width])))
    opening = OPENING.match(source, start, end)
    if opening is None:
        return Literal(real(file, source[start:end]))
    prefix = opening[1].lower()
    raw = "r" in prefix
    if "f" in prefix or "t" in prefix:
        return _formatted(file, node, raw=raw)
    text = real(file, source[opening.end() : end - len(opening[2])])
    return Literal(text if raw else _unescaped(text))


def _formatted(file: FileDraft, node: Node, *, raw: bool) -> Literal:
    parts: list[str] = []
    holes: list[Node] = []
    for child in node.named_children:
        if child.type == "string_content":
            text = real(file, file.text[child.start_byte : child.end_byte]).replace("{{", "{").replace("}}", "}")
            parts.append(text if raw else _unescaped(text))
        elif child.type == "interpolation":
            parts.append("{}")
            holes.append(child)
    return Literal("".join(parts), tuple(holes))


def _unescaped(text: str) -> str:
    """The text with the escapes resolved that change how SQL reads; the rest stays as written."""
    if "\\" not in text:
        return text
    return ESCAPE.sub(lambda match: ESCAPES.get(match[1], match[0]), text)
