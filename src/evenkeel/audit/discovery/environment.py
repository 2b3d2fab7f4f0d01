"""Database URLs in example environment files and ini files. Only the scheme is kept: the rest may be a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import Tree, is_aside, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = re.compile(r"(?:^|/)[^/]*\.?env(?:\.[\w.-]+)?$|(?:^|/)(?:alembic|database|development|production)\.ini$")
_SUFFIXES = ("", "env", "example", "sample", "template", "dist", "local", "dev", "prod", "production", "docker", "ini")
_SCHEME = re.compile(r"(?<![\w+])(?P<scheme>[a-z][a-z0-9]*(?:\+[a-z0-9_]+)?)://")
_ENGINE = re.compile(
    r"^\s*(?:export\s+)?[A-Z_]*(?:DB|DATABASE)_?(?:ENGINE|TYPE|DRIVER|DIALECT|CONNECTION)\s*[:=]\s*[\"']?(?P<word>[\w.]+)"
)
_KEPT = frozenset({"database", "driver", "queue", "cache"})


def schemes(text: str) -> tuple[str, ...]:
    """Technologies that the URLs in a text name, in order: `postgresql+asyncpg://...` gives postgresql and asyncpg."""
    known = catalogue()
    found = [name for match in _SCHEME.finditer(text) for name in known.of_scheme(match["scheme"])]
    return tuple(dict.fromkeys(name for name in found if known.role(name) in _KEPT))


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every environment and ini file."""
    return [
        sighting
        for path in tree.matching(_SUFFIXES, _FILE)
        if not is_aside(path)
        for sighting in _lines(path, tree.text(path, 200_000))
    ]


def _lines(path: str, text: str) -> Iterator[Sighting]:
    for number, line in numbered(text):
        if line.lstrip().startswith(("#", ";")):
            continue
        for name in schemes(line):
            yield Sighting(name, "configuration", path, number)
        engine = _ENGINE.match(line)
        word = engine["word"].lower() if engine else ""
        if name := catalogue().engines.get(word, "") or catalogue().prose.get(word, ""):
            yield Sighting(name, "configuration", path, number)
