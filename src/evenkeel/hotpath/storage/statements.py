"""The SQL of one dialect, read once when a storage is opened.

A statement starts at a line `-- name: some_name` and ends before the next one; the lines before the first are the
file's own comment. `@now` becomes the dialect's expression for the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from types import MappingProxyType

from evenkeel.kernel.errors import InternalError

NOW = {
    "sqlite": "coalesce(:now, unixepoch('now', 'subsec'))",
    "postgres": "coalesce($1::float8, extract(epoch FROM statement_timestamp())::float8)",
}
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def read_statements(dialect: str) -> Mapping[str, str]:
    """Every statement of `sql/<dialect>/*.sql`, by name. Raises `InternalError` for a name given twice."""
    found: dict[str, str] = {}
    for name, text in _named_statements(dialect):
        if name in found:
            raise InternalError(f"Two statements are named {name!r}.", hint=f"Look in storage/sql/{dialect}.")
        found[name] = text
    return MappingProxyType(found)


def _named_statements(dialect: str) -> Iterator[tuple[str, str]]:
    folder = files("evenkeel.hotpath.storage") / "sql" / dialect
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        pieces = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
            yield name, _bare(text).replace("@now", NOW[dialect])


def _bare(text: str) -> str:
    """Without comments and the final semicolon: what the database has to parse and the caches to compare."""
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return "\n".join(lines).strip().removesuffix(";")
