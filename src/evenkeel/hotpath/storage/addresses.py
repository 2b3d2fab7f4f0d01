"""Database addresses: which database, where, and how to show one without its password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from evenkeel.hotpath.ports.errors import WrongDsnError


def dialect_of(dsn: str) -> str:
    """`sqlite` or `postgres`. Raises `WrongDsnError` for any other scheme."""
    scheme = dsn.partition("://")[0].lower() if "://" in dsn else ""
    known = {"sqlite": "sqlite", "postgres": "postgres", "postgresql": "postgres"}
    if scheme not in known:
        raise WrongDsnError(shown(dsn), f"unknown scheme {scheme!r}" if scheme else "it has no scheme")
    return known[scheme]


def sqlite_path(dsn: str) -> Path:
    """The file of `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises `WrongDsnError`."""
    rest = dsn.partition("://")[2].partition("?")[0]
    name = unquote(rest[1:]) if rest.startswith("/") else ""
    if not name:
        raise WrongDsnError(shown(dsn), "it names no file")
    if name == ":memory:":
        raise WrongDsnError(shown(dsn), "readers and the writer cannot share a database in memory; name a file")
    if "\0" in name:
        raise WrongDsnError(shown(dsn), "the file name holds NUL")
    return Path(name)


def shown(dsn: str) -> str:
    """The address as it may appear in a log: no password, no query."""
    try:
        parts = urlsplit(dsn)
        host = parts.netloc.rpartition("@")
        user = host[0].partition(":")[0]
        netloc = f"{user}@{host[2]}" if user else host[2]
        return f"{parts.scheme}://{netloc}{parts.path}" if parts.scheme else "(no scheme)"
    except ValueError:
        return "(not an address)"
