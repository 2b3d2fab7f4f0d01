"""Who listens: LISTEN statements and listener registrations in Python sources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.model.profile import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.pythontext import Page

MARKERS = (b"LISTEN ", b"add_listener")
# The statement fills its string: prose that mentions LISTEN does not.
_LISTEN = re.compile(
    r"[\"'(]\s*LISTEN\s+(?:\\?\"(?P<quoted>[^\"\\]+)\\?\"|(?P<plain>[\w{}%$]+(?:\.\w+)*\}?)(?=\s*(?:;|[\"']))|[\"']\s*\+\s*(?P<added>[\w.]+))",
    re.ASCII,
)
_ADD = re.compile(r"\.add_listener\s*(?P<opening>\()")
_DRIVERS = re.compile(r"asyncpg|psqlpy|postgres|LISTEN|\bconn(?:ection)?\b")


def read(page: Page) -> Iterator[Listener]:
    """Listeners of one page. The channel is the literal where there is one, else the expression as written."""
    for match in _LISTEN.finditer(page.text):
        opening = match.start() if page.text[match.start()] in "\"'" else -1
        if opening >= 0 and page.is_code(opening):
            channel = match["quoted"] or match["plain"] or match["added"]
            yield Listener(channel.strip("{}"), page.source(match.start()))
    for match in _ADD.finditer(page.mask) if _DRIVERS.search(page.text) else ():
        given = page.arguments(match.start("opening"))
        if len(given) == 2:  # a channel and a callback; observers of other kinds take the callback alone
            yield Listener(given[0].value.strip("\"'"), page.source(match.start()))
