"""tech_stack.md: what the project says of itself. The weakest evidence, because documents go stale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.compose import image_technology
from evenkeel.audit.discovery.environment import schemes
from evenkeel.audit.discovery.markdown import Line, clean, filled, lines
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import Tree, is_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = re.compile(r"(?:^|/)tech[-_]?stack\.md$", re.IGNORECASE)
_LANGUAGES = {
    "python": "python",
    "go": "go",
    "golang": "go",
    "rust": "rust",
    "typescript": "typescript",
    "javascript": "javascript",
    "node.js": "javascript",
    "nodejs": "javascript",
}
_IMAGE = re.compile(r"\bimage:\s*[\"']?(?P<image>[\w./:${}@-]+)")
_SUBHEAD = re.compile(r"^\W*(?:\*\*[^*]+\*\*|[A-Z][\w ]+)\s*:\s*(?:\*\*)?")
_ITEM = re.compile(
    r"\W*(?P<name>[\w.@/+-][\w.@/+ -]*?)\s*(?:\((?P<version>[^)]*)\)|(?P<bare>v?\d[\w.]*(?: LTS)?))?\s*(?:[-–—:].*)?$"
)
_LIBRARIES = re.compile(r"librar|stack|technolog|framework|dependenc|backend|overview")


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every tech_stack.md in the tree."""
    return [
        sighting
        for path in tree.matching(("md",), _FILE)
        if not is_sample(path)
        for line in lines(tree.text(path))
        for sighting in _of_line(path, line)
    ]


def technology(words: str) -> str | None:
    """The canonical name of a technology as people write it; None when it is not known."""
    folded = clean(words).lower()
    return _LANGUAGES.get(folded) or catalogue().prose.get(folded)


def _of_line(path: str, line: Line) -> Iterator[Sighting]:
    if line.cells:
        yield from _row(path, line)
    elif line.fenced:
        yield from _fenced(path, line)
    elif _LIBRARIES.search(line.under):
        yield from _free_text(path, line)


def _row(path: str, line: Line) -> Iterator[Sighting]:
    """A row of the overview: compound cells (`Go + Gin`, `1.23.x + 1.10.x`) are taken apart in step."""
    columns = dict(zip(line.header, line.cells, strict=False))
    names = filled(columns.get("technology") or columns.get("tool") or columns.get("name") or "")
    versions = filled(columns.get("version", "")).split(" + ")
    for number, words in enumerate(names.split(" + ") if names else ()):
        name, inline = _named(words)
        if name:
            stated = versions[number] if number < len(versions) else ""
            yield Sighting(name, "document", path, line.number, filled(stated) or inline)


def _named(words: str) -> tuple[str | None, str]:
    """Technology and version of `PostgreSQL`, `PostgreSQL 16`, `SQLAlchemy (2.0) - ORM`."""
    if name := technology(words):
        return name, ""
    match = _ITEM.match(words)
    if match is None:
        return None, ""
    return technology(match["name"]), (match["version"] or match["bare"] or "").strip()


def _free_text(path: str, line: Line) -> Iterator[Sighting]:
    for words in re.split(r",(?![^(]*\))", _SUBHEAD.sub("", line.text)):
        name, version = _named(clean(words))
        if name and "{{" not in words:
            yield Sighting(name, "document", path, line.number, version)


def _fenced(path: str, line: Line) -> Iterator[Sighting]:
    if image := _IMAGE.search(line.text):
        shown = image_technology(image["image"])
        if shown and "{{" not in line.text:
            yield Sighting(shown[0], "document", path, line.number, shown[1])
    for name in schemes(line.text):
        yield Sighting(name, "document", path, line.number)
