"""Text for the page: escaped, with nothing in it that acts, and code spans shown as code."""

from __future__ import annotations

import re
from html import escape

from evenkeel.audit.report.text import line_of_code, printable

_SPAN = re.compile(r"`([^`]+)`")
_WEB = re.compile(r"https?://[^\s<>]+")


def escaped(text: str, *, keep: bool = False) -> str:
    """One line, escaped for text and for attributes in double quotes. `keep`: its spaces stay as they are."""
    return escape(line_of_code(text) if keep else printable(text), quote=True)


def rich(text: str) -> str:
    """A sentence whose paired back-ticks are code."""
    parts = _SPAN.split(printable(text))
    return "".join(f"<code>{escape(part)}</code>" if number % 2 else escape(part) for number, part in enumerate(parts))


def web_link(title: str, url: str) -> str:
    """A link; an address that is not http(s) is shown, not linked."""
    if not _WEB.fullmatch(url):
        return f"{escaped(title)} (<code>{escaped(url)}</code>)"
    return f'<a href="{escaped(url)}" rel="noopener noreferrer">{escaped(title)}</a>'
