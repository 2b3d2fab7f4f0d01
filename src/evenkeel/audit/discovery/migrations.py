"""Where migrations lie, and in which order they ran."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenkeel.audit.discovery.python_manifests import at, table
from evenkeel.audit.discovery.tree import Tree, by_depth, decode, is_aside, joined, parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FOLDER = re.compile(r"(?:^|/)(?:migrations?|migrate|db_migrations)(?:/|$)")
_SCRIPT = re.compile(r"\.sql$|(?:^|/)(?:[a-z]+_?)?\d{3,}[^/]*\.py$")
# Scripts that undo a migration: golang-migrate, sqlx, diesel, yoyo, Flyway.
_UNDOES = re.compile(r"(?:\.down|\.rollback|\.undo)\.sql$|/down\.sql$|(?:^|/)U\d+__[^/]*\.sql$")
_REVISION = re.compile(r"^revision(?::[^=\n]+)?\s*=\s*[\"'](?P<id>[^\"']+)", re.MULTILINE)
_DOWN = re.compile(r"^down_revision(?::[^=\n]+)?\s*=\s*(?P<ids>\([^)]*\)|[^\n]+)", re.MULTILINE)
_QUOTED = re.compile(r"[\"']([^\"']+)[\"']")
_MODULES = re.compile(r"MIGRATION_MODULES[^=\n]*=\s*\{(?P<body>[^}]*)\}")
_HEAD_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Migrations:
    """Folders that hold migrations, and their scripts (those that undo left out), in the order in which they run."""

    folders: tuple[str, ...]
    scripts: tuple[str, ...]


def find(tree: Tree, settings_files: Iterable[str]) -> Migrations:
    """Migrations by convention (`migrations/`, `versions/` beside an `env.py`) and where configuration puts them."""
    scripts = [path for suffix in ("py", "sql") for path in tree.files.get(suffix, ()) if not is_aside(path)]
    stated = [folder for folder in (*_configured(tree), *_django_modules(tree, settings_files)) if folder]
    folders = set(_conventional(tree, scripts))
    folders |= {parent(path) for path in scripts for folder in stated if path.startswith(f"{folder}/")}
    chosen = [path for path in scripts if parent(path) in folders and not is_undo(path)]
    return Migrations(tuple(by_depth(folders)), tuple(_ordered(tree, chosen)))


def is_undo(path: str) -> bool:
    """Whether a script takes a migration back, by its name."""
    return bool(_UNDOES.search(path))


def _conventional(tree: Tree, scripts: list[str]) -> Iterator[str]:
    environments = {parent(path) for path in (*tree.named("env.py"), *tree.named("script.py.mako"))}
    for path in scripts:
        folder = parent(path)
        above, _, last = folder.rpartition("/")
        is_alembic = last == "versions" and above in environments
        if is_alembic or (_FOLDER.search(folder) and _SCRIPT.search(path)):
            yield folder


def _configured(tree: Tree) -> Iterator[str | None]:
    """Folders that alembic.ini, yoyo.ini and pyproject.toml name, relative to the root."""
    for path in tree.named("alembic.ini", "yoyo.ini", "setup.cfg"):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(tree.text(path, 200_000))
        except configparser.Error as error:
            tree.note(path, f"is not a valid configuration file ({error.message.splitlines()[0]})")
            continue
        for section in parser.sections():
            for key in ("script_location", "version_locations", "sources"):
                yield from _locations(parent(path), parser.get(section, key, fallback=""), is_alembic=key != "sources")
    for path in tree.named("pyproject.toml"):
        text = tree.text(path)
        if "[tool.alembic" in text or "[tool.aerich" in text:
            data = table(tree, path, text)
            location = at(data, "tool", "alembic", "script_location") or ""
            yield from _locations(parent(path), str(location), is_alembic=True)
            yield from _locations(parent(path), str(at(data, "tool", "aerich", "location") or ""), is_alembic=False)


def _locations(folder: str, stated: str, *, is_alembic: bool) -> Iterator[str | None]:
    """`%(here)s/db`, `package.sub:migrations` and plain paths; alembic keeps its scripts in `versions` below."""
    for each in re.split(r"[\s;,]+", stated.replace("%(here)s", ".").strip()):
        module, colon, below = each.partition(":")
        if not each or "://" in each:
            continue
        path = f"{module.replace('.', '/')}/{below}" if colon and "/" not in module and len(module) > 1 else each
        base = joined(folder, path)
        yield f"{base}/versions" if is_alembic and base and not base.endswith("versions") else base


def _django_modules(tree: Tree, settings_files: Iterable[str]) -> Iterator[str]:
    for path in settings_files:
        head = tree.head(path, 131_072)
        if b"MIGRATION_MODULES" in head and (match := _MODULES.search(decode(head) or "")):
            for module in re.findall(r":\s*[\"']([\w.]+)[\"']", match["body"]):
                yield module.replace(".", "/")


def _ordered(tree: Tree, scripts: list[str]) -> list[str]:
    """Scripts by folder and name, alembic's by its chain of revisions instead."""
    ordered = by_depth(scripts)
    revisions: dict[str, tuple[str, list[str]]] = {}
    for path in ordered:
        if path.endswith(".py"):
            head = (tree.head(path, _HEAD_BYTES)).decode("utf-8", errors="replace")
            if match := _REVISION.search(head):
                down = _DOWN.search(head)
                revisions[match["id"]] = (path, _QUOTED.findall(down["ids"]) if down else [])
    place = {path: number for number, path in enumerate(_chained(revisions))}
    return sorted(ordered, key=lambda path: (path not in place, place.get(path, 0)))


def _chained(revisions: dict[str, tuple[str, list[str]]]) -> list[str]:
    """Paths with every revision after those it follows; what is left of a circle comes last."""
    after: dict[str, list[str]] = {}
    waiting: dict[str, int] = {}
    for revision, (_, down) in revisions.items():
        known = [each for each in down if each in revisions]
        waiting[revision] = len(known)
        for each in known:
            after.setdefault(each, []).append(revision)
    ready = [revision for revision, count in waiting.items() if count == 0]
    done: list[str] = []
    while ready:
        revision = ready.pop(0)
        done.append(revision)
        for each in after.get(revision, ()):
            waiting[each] -= 1
            if waiting[each] == 0:
                ready.append(each)
    rest = [revision for revision in revisions if revision not in set(done)]
    return [revisions[revision][0] for revision in (*done, *rest)]
