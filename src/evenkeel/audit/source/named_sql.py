"""Statements that stand in `.sql` files under names, as aiosql, anosql, PugSQL and yesql read them, and as many projects do
by hand: `-- name: count_leases`, or `-- :name count_leases :scalar`, and then the statement, up to the next such line.

Code says the name, the file says what it does. Without the files such a call would be a statement of which nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from evenkeel.audit.model.sql import effects_of_sql

LARGEST_BYTES = 400_000  # of a file: what is larger is a dump
LONGEST_TEXT = 8_000  # characters of a statement, as of one that stands in code
_NAME = re.compile(r"^[ \t]*--[ \t]*(?:name[ \t]*:|:name)[ \t]*([A-Za-z_][\w-]*)[^\n]*$", re.MULTILINE)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def named_statements(paths: Iterable[str]) -> dict[str, str]:
    """Name -> text, of the files at `paths`, without comments and with white space folded.

    A name of several files (one for each dialect) keeps the text of the first, unless they do different things: such a name
    tells nothing and is left out. A file that cannot be read gives nothing; nothing is raised."""
    found: dict[str, str] = {}
    unclear: set[str] = set()
    for path in paths:
        for name, text in _statements_in(path):
            if effects_of_sql(found.setdefault(name, text), blocking=False) != effects_of_sql(text, blocking=False):
                unclear.add(name)
    return {name: text for name, text in found.items() if name not in unclear}


def _statements_in(path: str) -> Iterator[tuple[str, str]]:
    try:
        with Path(path).open("rb") as opened:
            source = opened.read(LARGEST_BYTES + 1)
    except OSError:
        return
    if len(source) > LARGEST_BYTES:
        return
    pieces = _NAME.split(source.decode("utf-8", "replace"))
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        bare = " ".join(_COMMENTS.sub(" ", text).split()).removesuffix(";")
        if bare:
            yield name.replace("-", "_"), bare[:LONGEST_TEXT]
