"""Requirements: one requirement as pip writes it, and whole requirements files with includes and constraints."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.catalogue import catalogue, normalised
from evenkeel.audit.discovery.sighting import Evidence, Sighting, of_package
from evenkeel.audit.discovery.tree import Tree, is_aside, joined, parent

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = re.compile(r"(?:^|/)(?:requirements[^/]*|(?:requirements|reqs|deps)/[^/]+)\.(?:txt|in)$")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:\(?(?P<version>(?:[=!<>~]=?=?\s*[\w.*+!-]+\s*,?\s*)+)\)?|@\s*(?P<url>\S+))?"
)
_EGG = re.compile(r"#egg=(?P<name>[\w.-]+)")
_WHEEL = re.compile(
    r"/(?P<name>[\w.]+)-(?P<version>\d[\w.!+]*)(?:-[\w.]+){2,3}\.whl"
    r"|/(?P<sdist>[\w.-]+)-(?P<number>\d[\w.]*)\.tar\.gz"
)
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]*(?P<file>\S+)")
_DEVELOPMENT = re.compile(
    r"(?:^|[^a-z])(?:dev|develop|development|tests?|testing|lint|docs?|typing|types|ci|bench|style|qa|debug|local|format"
    r"|check|mypy|pre-commit)(?:$|[^a-z])"
)


def is_development(group: str) -> bool:
    """Whether a group of dependencies (or a file's name) says that it is for developers only."""
    return bool(_DEVELOPMENT.search(group.lower()))


def requirement(text: str, evidence: Evidence, file: str, line: int) -> Iterator[Sighting]:
    """The technologies of one requirement (`sqlalchemy[asyncio]>=2 ; python_version > "3.8"`), extras included."""
    match = _REQUIREMENT.match(text.strip())
    if match is None:
        return
    version = _version(match["version"] or "", match["url"] or "")
    extras = (match["extras"] or "").split(",")
    yield from package(match["name"], version, extras, Sighting("", evidence, file, line))


def package(name: str, version: str, extras: list[str], where: Sighting) -> Iterator[Sighting]:
    """The technologies of a package and of its extras: `celery[redis]` shows redis too, though not its version."""
    yield from of_package("python", name, version, where)
    known = catalogue()
    for extra in (each.strip() for each in extras):
        if shown := known.python.get(normalised(extra)) or known.modules.get(extra):
            evidence: Evidence = "extra" if where.evidence == "manifest" else where.evidence
            yield replace(where, name=shown, evidence=evidence, companion=f"{name}[{extra}]")


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every requirements file; an exact pin is also evidence of what is installed."""
    found: list[Sighting] = []
    read: set[str] = set()
    for path in tree.matching(("txt", "in"), _FILE):
        if not is_aside(path):
            found += _file(tree, path, _evidence(path), read)
    pins = [
        Sighting(each.name, "lock", each.file, each.line, each.version)
        for each in found
        if each.version and each.version[0].isdecimal()
    ]
    return found + pins


def _evidence(path: str) -> Evidence:
    return "development" if is_development(path.rpartition("/")[2]) else "manifest"


def _file(tree: Tree, path: str, evidence: Evidence, read: set[str]) -> list[Sighting]:
    """One file and those it includes that no pattern finds; each file is read once, so circles end."""
    if path in read:
        return []
    read.add(path)
    found: list[Sighting] = []
    for line, text in _logical_lines(tree.text(path)):
        if include := _INCLUDE.match(text):
            target = joined(parent(path), include["file"])
            kind: Evidence = "lock" if text.startswith(("-c", "--constraint")) else evidence
            if target in tree.files.get("txt", []) and target is not None:
                found += _file(tree, target, kind, read)
        elif url := _WHEEL.search(text) or _EGG.search(text):
            parts = url.groupdict()
            name = parts.get("name") or parts.get("sdist") or ""
            pin = parts.get("version") or parts.get("number") or ""
            found += requirement(f"{name}=={pin}" if pin else name, evidence, path, line)
        elif not text.startswith("-"):
            found += requirement(text, evidence, path, line)
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, hashes and markers, continuation lines joined, with the number of their first line."""
    start, held = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        start = start or number
        held += re.sub(r"(?:^|\s)#(?!egg=).*", "", line).rstrip()
        if held.endswith("\\"):
            held = f"{held[:-1]} "
            continue
        if folded := re.sub(r"\s--hash.*", "", held).strip():
            yield start, folded
        start, held = 0, ""


def _version(stated: str, url: str) -> str:
    """`==2.0.31` is the exact version 2.0.31; a range stays a range, without blanks; a URL may end in a tag."""
    if url:
        tag = re.search(r"@v?(\d[\w.]*)(?:#|$)", url)
        return tag[1] if tag else ""
    folded = re.sub(r"\s+", "", stated).rstrip(",")
    exact = re.fullmatch(r"={2,3}(\d[\w.+!-]*)", folded)
    return exact[1] if exact else folded
