"""Cargo.toml: the crates of packages and workspaces, and the databases that their features name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evenkeel.audit.discovery.catalogue import catalogue
from evenkeel.audit.discovery.python_manifests import at, table
from evenkeel.audit.discovery.sighting import Evidence, Sighting, of_package
from evenkeel.audit.discovery.tree import Tree, is_aside, line_at, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS: tuple[tuple[str, Evidence], ...] = (
    ("dependencies", "manifest"),
    ("build-dependencies", "development"),
    ("dev-dependencies", "development"),
)
_FEATURE_PREFIX = re.compile(r"^(?:sqlx|runtime|with|rt)-|-(?:rustls|native-tls|comp|bundled).*$")


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every Cargo.toml in the tree; `workspace = true` takes the version that the workspace states."""
    manifests = {path: tree.text(path) for path in tree.named("Cargo.toml") if not is_aside(path)}
    tables = {path: table(tree, path, text) for path, text in manifests.items()}
    shared: dict[str, Any] = {}
    for data in tables.values():
        declared = at(data, "workspace", "dependencies")
        shared.update(declared if isinstance(declared, dict) else {})
    return [sighting for path, data in tables.items() for sighting in _manifest(path, manifests[path], data, shared)]


def _manifest(path: str, text: str, data: dict[str, Any], shared: dict[str, Any]) -> Iterator[Sighting]:
    version = at(data, "package", "rust-version") or at(data, "workspace", "package", "rust-version")
    if data:
        stated = version if isinstance(version, str) else ""
        yield Sighting("rust", "manifest", path, line_of(text, "rust-version") if stated else 0, stated)
    for section, evidence, crates in _sections(data):
        start = max(text.find(section), 0)
        for crate, declared in crates.items():
            inherited = shared.get(crate) if at(declared, "workspace") else None
            yield from _crate(crate, [declared, inherited], Sighting("", evidence, path, _line(text, crate, start)))


def _sections(data: dict[str, Any]) -> Iterator[tuple[str, Evidence, dict[str, Any]]]:
    targets = at(data, "target")
    owners = [data, *(targets.values() if isinstance(targets, dict) else ())]
    for section, evidence in _SECTIONS:
        for owner in owners:
            crates = at(owner, section)
            yield section, evidence, crates if isinstance(crates, dict) else {}
    crates = at(data, "workspace", "dependencies")
    yield "workspace.dependencies", "manifest", crates if isinstance(crates, dict) else {}


def _crate(crate: str, declared: list[Any], where: Sighting) -> Iterator[Sighting]:
    """One dependency: a version, or a table with `version`, `package` (its real name) and `features`."""
    tables = [each if isinstance(each, dict) else {"version": each} for each in declared if each]
    package = next((str(each["package"]) for each in tables if "package" in each), crate)
    version = next((str(each["version"]) for each in tables if "version" in each), "")
    found = list(of_package("rust", package, version, where))
    yield from found
    name = found[0].name if found else ""
    features = [feature for each in tables for feature in at(each, "features") or () if isinstance(feature, str)]
    for feature in features if name else ():
        stem = _FEATURE_PREFIX.sub("", _FEATURE_PREFIX.sub("", feature))
        shown = catalogue().schemes.get(stem) or ("tokio" if stem.startswith("tokio") else None)
        if shown and name != shown and catalogue().role(name) in {"orm", "driver"}:
            yield Sighting(shown, where.evidence, where.file, where.line)


def _line(text: str, crate: str, start: int) -> int:
    key = re.compile(rf"^\s*\[?[\w.-]*?\"?{re.escape(crate)}\"?(?:\s*[=.]|\])", re.MULTILINE).search(text, start)
    return line_at(text, key.end()) if key else 0
