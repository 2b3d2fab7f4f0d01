"""Just enough Markdown: comments stripped, headings, tables and the text between them, each with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r" {0,3}(?P<level>#{1,6})[ \t]+(?P<text>.*?)[ \t#]*$")
_FENCE = re.compile(r"[ \t]*(?P<mark>`{3,}|~{3,})")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<url>[^)]*)\)")
# What a template leaves in a cell that nobody filled in.
_PLACEHOLDER = re.compile(
    r"|[-–—]+|\.{2,}|…|.*\{\{.*|\[[^\]]*\](?!\().*|<[^>]*>|tbd|todo|tba|n/?a|none|unknown|\?+|xxx+|your[-_ ].*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document: its number, the headings above it (outermost first), and what it is."""

    number: int
    text: str
    headings: tuple[str, ...]
    fenced: bool
    cells: tuple[str, ...] = ()  # of a table's row
    header: tuple[str, ...] = ()  # the table's header, lower case

    @property
    def under(self) -> str:
        """The headings above, as one lower-case text."""
        return " / ".join(self.headings).lower()


def without_comments(text: str) -> str:
    """The text with HTML comments blanked, lines kept: templates hold whole example tables in them."""
    return _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)


def lines(text: str) -> Iterator[Line]:
    """Lines of a document without its comments; headings and table rules are not among them."""
    raw = without_comments(text).split("\n")
    headings: list[tuple[int, str]] = []
    fence = ""
    header: tuple[str, ...] = ()
    for number, line in enumerate(raw, start=1):
        above = tuple(heading for _, heading in headings)
        if mark := _FENCE.match(line):
            fence = "" if fence and mark["mark"].startswith(fence) else fence or mark["mark"]
            continue
        if fence:
            yield Line(number, line, above, fenced=True)
            continue
        if heading := _HEADING.match(line):
            level = len(heading["level"])
            headings = [*((depth, text) for depth, text in headings if depth < level), (level, heading["text"])]
            header = ()
            continue
        is_rule = "|" in line and bool(_RULE.match(line))
        if not is_rule and number < len(raw) and "|" in line and "|" in raw[number] and _RULE.match(raw[number]):
            header = tuple(clean(cell).lower() for cell in cells(line))
        elif "|" not in line:
            header = ()
        elif header and not is_rule:
            yield Line(number, line, above, fenced=False, cells=tuple(cells(line)), header=header)
            continue
        if not is_rule and not header:
            yield Line(number, line, above, fenced=False)


def cells(row: str) -> list[str]:
    """A table row's cells, split at unescaped bars only, escapes resolved."""
    inner = row.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(inner)]


def clean(text: str) -> str:
    """Text without emphasis, code marks and link targets."""
    return re.sub(r"\*\*|__|[`*]", "", _LINK.sub(lambda match: match["text"], text)).strip()


def filled(cell: str) -> str:
    """A cell's text; "" when it is empty or a placeholder (`-`, `{{X}}`, `[TEAM_UUID]`, `TBD`)."""
    text = clean(cell)
    return "" if _PLACEHOLDER.fullmatch(text) else text
