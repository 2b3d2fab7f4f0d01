"""One bounded pass over Python sources: bytes are searched for marker words; only where one stands is text looked at.

No file is read beyond `imports.HEAD_BYTES`, none is parsed: discovery collects metadata, the workers read code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.discovery import configuration, databaseurls, defaults, imports, listeners
from evenkeel.audit.discovery.factories import vocabulary
from evenkeel.audit.discovery.pythontext import Page
from evenkeel.audit.discovery.sighting import Sighting
from evenkeel.audit.discovery.tree import Tree, decode, is_aside

if TYPE_CHECKING:
    from evenkeel.audit.model.profile import Listener, Setting

TRIGGER_MARKERS = (b"TRIGGER ", b"create trigger", b"PGTrigger(", b"pgtrigger.Trigger(")
# Files that configure databases are called like this; others count when they import a database library themselves.
_CONFIGURES = re.compile(
    r"(?:^|/)[^/]*(?:db|database|session|engine|settings|config|postgres|sql|storage|pool|conn|depend|deps|main|app|base"
    r"|core|container|lifespan|env)[^/]*\.py$|(?:^|/)(?:db|database|settings|config|models)/[^/]+\.py$"
)
_SETTINGS = re.compile(
    r"(?:^|/)[^/]*(?:settings|config|database|db|constants|env)[^/]*\.py$"
    r"|(?:^|/)(?:settings|config|conf|db|database)/[^/]+\.py$"
)
_SECONDARY = re.compile(r"(?:^|/)(?:scripts?|tools?|bin|dev|ci|alembic|migrations|versions|management)/")
_DATABASE_PACKAGES = frozenset(
    b"sqlalchemy sqlmodel asyncpg psycopg psycopg_pool psycopg2 aiomysql aiopg asyncmy peewee playhouse tortoise"
    b" databases flask_sqlalchemy advanced_alchemy dj_database_url environ psqlpy sqlite3 aiosqlite".split()
)


@dataclass(slots=True)
class Scan:
    """What the pass found.

    `with_triggers` are files that hold trigger SQL, `settings_files` those where settings may be declared."""

    configuration: configuration.Found = field(default_factory=configuration.Found)
    listeners: list[Listener] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    with_triggers: list[str] = field(default_factory=list)
    settings_files: list[str] = field(default_factory=list)
    first_file: str = ""


def scan(tree: Tree) -> Scan:
    """Pass over every Python file that belongs to the running backend, what runs beside it last."""
    found = Scan()
    paths = sorted((path for path in tree.files.get("py", ()) if not is_aside(path)), key=is_secondary)
    importers = imports.Importers()
    markers = tuple(marker.encode() for marker in vocabulary().markers)
    for path in paths:
        _file(tree, path, found, importers, markers)
    found.sightings += imports.sightings(tree, importers)
    found.first_file = paths[0] if paths else ""
    return found


def settings(tree: Tree, scan: Scan, others: list[Setting]) -> tuple[Setting, ...]:
    """All settings, most telling first: what the backend itself configures before scripts and migrations, known values
    before unknown ones, arguments of a known factory before the rest."""
    found = dict.fromkeys([*scan.configuration.settings, *scan.configuration.loose, *others])
    known = defaults.resolved(tree, list(found), scan.settings_files)

    def weight(setting: Setting) -> tuple[bool, bool, bool, str, int]:
        unknown = not (setting.default or defaults.is_literal(setting.value))
        return is_secondary(setting.source.file), unknown, not setting.call, setting.source.file, setting.source.line

    return tuple(sorted(known, key=weight))


def is_secondary(path: str) -> bool:
    """Whether a file runs beside the backend: scripts, tools, migrations."""
    return bool(_SECONDARY.search(path))


def _file(tree: Tree, path: str, found: Scan, importers: imports.Importers, markers: tuple[bytes, ...]) -> None:
    head = tree.head(path, imports.HEAD_BYTES)
    packages = imports.roots(head)
    importers.add(packages, path)
    if any(marker in head for marker in TRIGGER_MARKERS):
        found.with_triggers.append(path)
    is_settings = bool(_SETTINGS.search(path))
    if is_settings:
        found.settings_files.append(path)
    configures = bool(_CONFIGURES.search(path)) or not packages.isdisjoint(_DATABASE_PACKAGES)
    configures = configures and any(marker in head for marker in markers)
    listens = any(marker in head for marker in listeners.MARKERS)
    if configures or listens:
        page = Page(path, decode(head) or "")
        if configures:
            configuration.read(page, found.configuration)
            found.sightings += databaseurls.read(page, is_settings=is_settings)
        if listens:
            found.listeners += listeners.read(tree, page)
