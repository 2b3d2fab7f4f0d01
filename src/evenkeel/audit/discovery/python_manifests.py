"""Python manifests: pyproject.toml in its dialects, Pipfile, setup.cfg, setup.py."""

from __future__ import annotations

import configparser
import re
import tomllib
from typing import TYPE_CHECKING, Any

from evenkeel.audit.discovery.requirements import is_development, package, requirement
from evenkeel.audit.discovery.sighting import Evidence, Sighting
from evenkeel.audit.discovery.tree import Tree, is_aside, line_at, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>[^"'\n]+)(?P=quote)""")


def find(tree: Tree) -> list[Sighting]:
    """Sightings of every Python manifest in the tree but requirements files."""
    readers = {"pyproject.toml": _pyproject, "Pipfile": _pipfile, "setup.cfg": _setup_cfg, "setup.py": _setup_py}
    return [
        sighting
        for path in tree.named(*readers)
        if not is_aside(path)
        for sighting in readers[path.rpartition("/")[2]](tree, path)
    ]


def table(tree: Tree, path: str, text: str) -> dict[str, Any]:
    """A TOML file as a dictionary; an empty one and a note when it is broken."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        tree.note(path, f"is not valid TOML ({error}); its dependencies are unknown")
        return {}


def at(data: object, *keys: str) -> Any:
    """The value under a path of keys; None when any step is missing or not a table."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _pyproject(tree: Tree, path: str) -> Iterator[Sighting]:
    text = tree.text(path)
    data = table(tree, path, text)
    if version := at(data, "project", "requires-python"):
        yield Sighting("python", "manifest", path, line_of(text, "requires-python"), str(version))
    for section, evidence, entries in _listed(data):
        start = max(text.find(section), 0)
        for entry in entries:
            yield from requirement(entry, evidence, path, line_of(text, entry, start) or line_of(text, entry))
    for section, evidence, packages in _poetry(data):
        yield from _packages(text, path, section, evidence, packages)


def _listed(data: dict[str, Any]) -> Iterator[tuple[str, Evidence, list[str]]]:
    """Lists of requirements: (text that opens the section, evidence, entries)."""
    yield "dependencies", "manifest", _strings(at(data, "project", "dependencies"))
    for group, entries in _groups(at(data, "project", "optional-dependencies")):
        yield group, "development" if is_development(group) else "extra", _strings(entries)
    for owner in (at(data, "dependency-groups"), at(data, "tool", "pdm", "dev-dependencies")):
        for group, entries in _groups(owner):
            yield group, "development", _strings(entries)
    yield "dev-dependencies", "development", _strings(at(data, "tool", "uv", "dev-dependencies"))
    for group, environment in _groups(at(data, "tool", "hatch", "envs")):
        for key in ("dependencies", "extra-dependencies"):
            yield group, "development", _strings(at(environment, key))


def _poetry(data: dict[str, Any]) -> Iterator[tuple[str, Evidence, dict[str, Any]]]:
    """Tables of packages: (heading, evidence, package -> version or table)."""
    poetry = at(data, "tool", "poetry") or {}
    yield "[tool.poetry.dependencies]", "manifest", at(poetry, "dependencies") or {}
    yield "[tool.poetry.dev-dependencies]", "development", at(poetry, "dev-dependencies") or {}
    for group, content in _groups(at(poetry, "group")):
        evidence: Evidence = "development" if is_development(group) else "extra"
        yield f"[tool.poetry.group.{group}.dependencies]", evidence, at(content, "dependencies") or {}


def _packages(text: str, path: str, section: str, evidence: Evidence, packages: dict[str, Any]) -> Iterator[Sighting]:
    """A table `package = "^2"` or `package = {version = "^2", extras = ["x"], optional = true}`."""
    start = max(text.find(section), 0)
    for name, stated in _groups(packages):
        forms = [form for form in (stated if isinstance(stated, list) else [stated]) if form]
        key = re.compile(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", re.MULTILINE).search(text, start)
        line = line_at(text, key.end()) if key else 0
        for form in forms[:1]:
            version = str((at(form, "version") if isinstance(form, dict) else form) or "")
            kind: Evidence = "extra" if evidence == "manifest" and at(form, "optional") else evidence
            yield from _package(name, version, _strings(at(form, "extras")), Sighting("", kind, path, line))


def _package(name: str, version: str, extras: list[str], where: Sighting) -> Iterator[Sighting]:
    stated = "" if version == "*" else version.strip()
    if name == "python":
        yield Sighting("python", where.evidence, where.file, where.line, stated)
    yield from package(name, stated.removeprefix("==").strip(), extras, where)


def _pipfile(tree: Tree, path: str) -> Iterator[Sighting]:
    text = tree.text(path)
    data = table(tree, path, text)
    yield from _packages(text, path, "[packages]", "manifest", at(data, "packages") or {})
    yield from _packages(text, path, "[dev-packages]", "development", at(data, "dev-packages") or {})
    if version := at(data, "requires", "python_version"):
        yield Sighting("python", "manifest", path, line_of(text, "python_version"), str(version))


def _setup_cfg(tree: Tree, path: str) -> Iterator[Sighting]:
    text = tree.text(path)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        tree.note(path, f"is not a valid configuration file ({error.message.splitlines()[0]})")
        return
    sections: list[tuple[Evidence, str]] = [("manifest", parser.get("options", "install_requires", fallback=""))]
    if parser.has_section("options.extras_require"):
        extras = parser.items("options.extras_require")
        sections += [("development" if is_development(group) else "extra", entries) for group, entries in extras]
    for evidence, entries in sections:
        for entry in re.split(r"[\n;]", entries):
            yield from requirement(entry, evidence, path, line_of(text, entry.strip()) if entry.strip() else 0)
    if version := parser.get("options", "python_requires", fallback=""):
        yield Sighting("python", "manifest", path, line_of(text, "python_requires"), version)


def _setup_py(tree: Tree, path: str) -> Iterator[Sighting]:
    """Quoted requirements inside `install_requires=[...]`, `extras_require={...}`: found as text, nothing is run."""
    text = tree.text(path)
    for key, evidence in (("install_requires", "manifest"), ("extras_require", "extra")):
        for match in re.finditer(rf"\b{key}\s*=\s*(?:list\()?[\[{{(]", text):
            end = text.find("]" if key == "install_requires" else "}", match.end())
            for quoted in _QUOTED.finditer(text, match.end(), end if end > 0 else len(text)):
                line = line_at(text, quoted.start())
                yield from requirement(quoted["text"], "extra" if evidence == "extra" else "manifest", path, line)
    if version := re.search(r"python_requires\s*=\s*[\"']([^\"']+)", text):
        yield Sighting("python", "manifest", path, line_at(text, version.start()), version[1])


def _groups(value: object) -> list[tuple[str, Any]]:
    return [(str(key), entry) for key, entry in value.items()] if isinstance(value, dict) else []


def _strings(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
