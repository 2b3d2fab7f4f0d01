"""Text from the audited code, made safe to show. Its names, paths and strings are data: they must not act.

File names and code can hold control sequences for a terminal, bidirectional overrides, Markdown, HTML and table pipes.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
_MARKUP = re.compile(r"[\\*\[\]<&|`~]|^[>#+-]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
_SPAN = re.compile(r"`([^`]+)`")


def printable(text: str) -> str:
    """One line: white space folded, control and direction characters and lone surrogates written as escapes."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], " ".join(text.split()))


def line_of_code(text: str) -> str:
    """A line as it stands in a file, indented as it is, tabs as four columns, nothing in it that acts."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text.expandtabs(4).rstrip())


def code(text: str, *, cell: bool = True) -> str:
    """A Markdown code span of this text, whatever back-ticks it holds. In a table cell its pipes need an escape."""
    shown = printable(text).replace("|", "\\|") if cell else printable(text)
    runs = [len(each) for each in re.findall(r"`+", shown)]
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def prose(text: str, *, cell: bool = True) -> str:
    """Markdown that shows this text: paired back-ticks stay code spans, everything else that could act is escaped."""
    parts = _SPAN.split(printable(text))
    return "".join(
        code(part, cell=cell) if index % 2 else _MARKUP.sub(_escape, part) for index, part in enumerate(parts)
    )


def link(title: str, url: str) -> str:
    """A Markdown link; an address that is not http(s) is shown, not linked."""
    if not re.fullmatch(r"https?://[^\s<>]+", url):
        return f"{prose(title, cell=False)} ({code(url, cell=False)})"
    return f"[{prose(title, cell=False)}](<{url}>)"


def plural(count: int, noun: str) -> str:
    """`1 finding`, `2 findings`, `1,200 lines`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _escape(found: re.Match[str]) -> str:
    return _ENTITIES.get(found[0], f"\\{found[0]}")
