"""Who listens: LISTEN statements and listener registrations in Python sources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.defaults import literal_of
from evenkeel.audit.model.profile import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.pythontext import Page
    from evenkeel.audit.discovery.tree import Tree

MARKERS = (b"LISTEN ", b"add_listener")
# The statement fills its string: prose that mentions LISTEN does not.
_LISTEN = re.compile(
    r"[\"']\s*LISTEN\s+(?:\\?\"(?P<quoted>[\w.{}-]+)\\?\"|(?P<plain>(?=[\w{])[\w$%]*(?:\{[^{}\n]*\})?(?:\.\w+)*)(?=\s*(?:;|[\"']))"
    r"|[\"']\s*\+\s*(?P<added>[\w.]+))",
    re.ASCII,
)
_ADD = re.compile(r"\.add_listener\s*(?P<opening>\()")
_DRIVERS = re.compile(r"asyncpg|psqlpy|postgres|LISTEN|\bconn(?:ection)?\b")
_STRING = re.compile(r"(?P<prefix>[rRbBfFuU]*)(?P<quote>[\"'])(?P<text>[^\"'\n]*)(?P=quote)$")
_HOLE = re.compile(r"\{(?P<name>[\w.]+)[^{}]*\}")


def read(tree: Tree, page: Page) -> Iterator[Listener]:
    """Listeners of one page. The channel is the literal where one is known, else the expression as written."""
    for match in _LISTEN.finditer(page.text):
        if page.is_code(match.start()):
            written = match["quoted"] or match["plain"] or f"{{{match['added']}}}"
            yield Listener(_channel(tree, page, written), page.source(match.start()))
    for match in _ADD.finditer(page.mask) if _DRIVERS.search(page.text) else ():
        given = page.arguments(match.start("opening"))
        if len(given) == 2:  # a channel and a callback; observers of other kinds take the callback alone
            string = _STRING.match(given[0].value)
            written = string["text"] if string else f"{{{given[0].value}}}"
            yield Listener(_channel(tree, page, written), page.source(match.start()))


def _channel(tree: Tree, page: Page, written: str) -> str:
    """A channel with its hole filled: `{CHANNEL}` by its literal, else left as the name; `jobs_{id}` is `jobs_*`."""
    if not (hole := _HOLE.search(written)):
        return written.strip("{}")
    literal = literal_of(tree, page, hole["name"])
    if literal:
        return written[: hole.start()] + literal + written[hole.end() :]
    return hole["name"] if hole[0] == written else f"{written[: hole.start()]}*"
