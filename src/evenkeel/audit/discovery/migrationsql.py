"""The SQL inside a Python file, as one text of the same length: strings stay where they are, everything else is blank.

A migration's way back does not count: `downgrade`, the reverse of `RunSQL` and of yoyo's `step`, and what only they
use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.pythontext import Literal, Page, begun_word

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOWNGRADE = re.compile(r"^(?:async[ \t]+)?def[ \t]+(?:downgrade|backwards?|rollback|down|reverse\w*)\b", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^[^\s)\]}#]", re.MULTILINE)
_TWO_WAY = re.compile(r"\b(?:RunSQL|RunPython|step|transaction_step)\s*(?P<opening>\()")
_REVERSE_KEYWORDS = frozenset({"reverse_sql", "reverse_code", "rollback"})
_CONSTANT = re.compile(r"^(?P<name>[A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_FUNCTION = re.compile(r"^(?:async[ \t]+)?def[ \t]+(?P<name>\w+)", re.MULTILINE)
_ESCAPE = re.compile(r"\\[\s\S]")


Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class PythonSql:
    """`text` has the length of the page's text. `runs_at` maps a position in it to the place that decides its order."""

    text: str
    moved: tuple[tuple[int, int, int], ...]  # (start, end, position of the first use) of constants and helpers
    dead: tuple[tuple[int, int], ...]  # spans that only a way back uses

    def is_live(self, position: int) -> bool:
        """Whether the code at `position` is part of the way forward."""
        return not _is_inside(position, self.dead)

    def runs_at(self, position: int) -> int:
        """Where the statement at `position` is used: a constant's first use, else where it stands."""
        return next((use for start, end, use in self.moved if start <= position < end), position)


def view(page: Page) -> PythonSql:
    """The SQL of a page without what only a way back uses."""
    dead: list[tuple[int, int]] = [*_downgrades(page), *_reverses(page)]
    moved = []
    for start, end, name in _definitions(page):
        uses = [
            match.start()
            for match in re.finditer(rf"{begun_word(name)}\b", page.mask)
            if not start <= match.start() < end
        ]
        live = [use for use in uses if not _is_inside(use, dead)]
        if uses and not live:
            dead.append((start, end))
        elif live and not _is_inside(start, dead):
            moved.append((start, end, live[0]))
    return PythonSql(_strings(page, dead), tuple(moved), tuple(dead))


def constants(page: Page) -> dict[str, tuple[str, ...]]:
    """Names that the page gives a string or a list of strings: `TABLE = "jobs"`, `for table in ("jobs", "runs")`."""
    found: dict[str, tuple[str, ...]] = {}
    assigned = re.compile(
        r"^[ \t]*(?P<name>\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?P<value>[\"'\[({][^\n]*(?:\n[^\n=]*?[\])}])?)"
        r"|\bfor[ \t]+(?P<variable>\w+)[ \t]+in[ \t]+(?P<values>[\[({][^\])}]*[\])}]|\w+)",
        re.MULTILINE,
    )
    for match in assigned.finditer(page.text):
        values = match["value"] or match["values"]
        texts = tuple(text for text in re.findall(r"[\"']([^\"'\n]*)[\"']", values) if text) or found.get(values, ())
        name = match["name"] or match["variable"]
        if texts and len(texts) <= 50:
            found.setdefault(name, texts)
    return found


def _downgrades(page: Page) -> Iterator[tuple[int, int]]:
    for match in _DOWNGRADE.finditer(page.mask):
        yield match.start(), _block_end(page, match.end())


def _block_end(page: Page, start: int) -> int:
    following = _TOP_LEVEL.search(page.mask, start)
    return following.start() if following else len(page.text)


def _reverses(page: Page) -> Iterator[tuple[int, int]]:
    """Spans of the arguments that undo: the second positional one, `reverse_sql=`, `rollback=`."""
    for match in _TWO_WAY.finditer(page.mask):
        given = page.arguments(match.start("opening"))
        positional = [each for each in given if not each.keyword]
        for each in (*positional[1:2], *(each for each in given if each.keyword in _REVERSE_KEYWORDS)):
            yield each.position, each.end


def _definitions(page: Page) -> Iterator[tuple[int, int, str]]:
    """Spans and names of top-level constants and of top-level functions other than the two ways."""
    for match in _CONSTANT.finditer(page.mask):
        yield match.start(), _block_end(page, match.end()), match["name"]
    for match in _FUNCTION.finditer(page.mask):
        if match["name"] not in {"upgrade", "downgrade"}:
            yield match.start(), _block_end(page, match.end()), match["name"]


def _strings(page: Page, dead: Spans) -> str:
    """Only the insides of live strings; a `;` ends each string that the next one does not continue."""
    found = page.literals
    pieces: list[str] = []
    last = 0
    for number, each in enumerate(found):
        if _is_inside(each.start, dead) or _is_docstring(page, each):
            continue
        continued = number + 1 < len(found) and not page.mask[each.end : found[number + 1].start].strip()
        inside = page.text[each.text_start : each.text_end]
        if "r" not in each.prefix.lower():
            inside = _ESCAPE.sub(_unescaped, inside)
        pieces += [_blank(page.text[last : each.text_start]), inside]
        last = each.text_end
        if not continued and last < len(page.text):
            pieces.append(";")
            last += 1
    return "".join([*pieces, _blank(page.text[last:])])


def _unescaped(match: re.Match[str]) -> str:
    """The same number of characters: an escaped quote after a blank, any other escape as blanks."""
    return f" {match[0][1]}" if match[0][1] in "\"'" else " \n" if match[0][1] == "\n" else "  "


def _is_docstring(page: Page, literal: Literal) -> bool:
    line = page.mask.rfind("\n", 0, literal.start) + 1
    if page.mask[line : literal.start].strip():
        return False
    before = page.mask[max(0, line - 400) : line].rstrip()
    return before[-1:] not in {"(", "[", "{", ",", "=", "+", "\\", '"', "'"}


def _is_inside(position: int, spans: Spans) -> bool:
    return any(start <= position < end for start, end in spans)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
