"""Lock files: exact versions of the interesting packages, found in the bytes without parsing megabytes.

Which FastAPI is installed decides what a rule says about yield dependencies, and a range in a manifest cannot tell.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from evenkeel.audit.discovery.catalogue import Ecosystem
from evenkeel.audit.discovery.sighting import Sighting, of_package
from evenkeel.audit.discovery.tree import Tree, is_aside, line_of

LIMIT_BYTES = 32_000_000
# poetry.lock, uv.lock, pdm.lock, pylock.toml, Cargo.lock: name and version are the first two lines of an entry
_PACKAGE = re.compile(rb'\[\[packages?\]\]\s+name = "(?P<name>[^"]+)"\s+version = "(?P<version>[^"]+)"')
_NODE = re.compile(rb'"node_modules/(?P<name>[^"]+)": \{\s*"version": "(?P<version>[^"]+)"')
_PNPM = re.compile(rb"^ {2}/?'?(?P<name>@?[^@'\s:]+)@(?P<version>\d[^:'(\s]*)[^:]*:", re.MULTILINE)
_YARN = re.compile(rb'^"?(?P<name>@?[^@"\s]+)@[^\n]*:\n {2}version:? "?(?P<version>[^"\n]+)', re.MULTILINE)
_LOCKS: dict[str, tuple[Ecosystem, re.Pattern[bytes]]] = {
    "poetry.lock": ("python", _PACKAGE),
    "uv.lock": ("python", _PACKAGE),
    "pdm.lock": ("python", _PACKAGE),
    "pylock.toml": ("python", _PACKAGE),
    "Cargo.lock": ("rust", _PACKAGE),
    "package-lock.json": ("node", _NODE),
    "pnpm-lock.yaml": ("node", _PNPM),
    "yarn.lock": ("node", _YARN),
}


def find(tree: Tree) -> list[Sighting]:
    """Exact versions of the catalogue's packages in every lock file of the tree."""
    found: list[Sighting] = []
    for path in tree.named(*_LOCKS):
        if not is_aside(path):
            ecosystem, pattern = _LOCKS[path.rpartition("/")[2]]
            found += _entries(path, tree.head(path, LIMIT_BYTES), ecosystem, pattern)
    for path in tree.named("Pipfile.lock"):
        found += _pipfile(tree, path)
    return found


def _entries(path: str, data: bytes, ecosystem: Ecosystem, pattern: re.Pattern[bytes]) -> list[Sighting]:
    found: list[Sighting] = []
    for match in pattern.finditer(data):
        package, version = (match[group].decode(errors="replace") for group in ("name", "version"))
        for each in of_package(ecosystem, package, version, Sighting("", "lock", path)):
            line = data.count(b"\n", 0, match.start("version")) + 1
            found.append(replace(each, line=line))
    return [each for each in found if each.version]


def _pipfile(tree: Tree, path: str) -> list[Sighting]:
    text = tree.text(path, LIMIT_BYTES)
    try:
        data = msgspec.json.decode(text, type=dict[str, dict[str, object]]) if text else {}
    except msgspec.DecodeError as error:
        tree.note(path, f"is not a valid lock file ({error})")
        return []
    found: list[Sighting] = []
    for package, entry in data.get("default", {}).items():
        version = str(entry.get("version", "")).lstrip("=") if isinstance(entry, dict) else ""
        where = Sighting("", "lock", path, line_of(text, f'"{package}"'))
        found += of_package("python", package, version, where)
    return [each for each in found if each.version]
