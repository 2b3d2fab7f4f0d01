"""The numbered migrations of a dialect, and the rule by which code and schema go together.

Migrations only add, each in a transaction of its own under a lock that all instances share, so a process that dies
between two of them leaves a schema that old and new code can work with, and the next start goes on. `oldest-code` in a
migration's header is the lowest schema version whose code still works once it is applied; a database that names a
higher one than this code knows is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from evenkeel.hotpath.ports.errors import SchemaMissingError, SchemaTooNewError

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_OLDEST = re.compile(r"^-- oldest-code: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: schema version `version`, usable by code that knows `oldest_code` or later."""

    version: int
    name: str
    oldest_code: int
    sql: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of `schema_versions`; `oldest_code` None = only code that knows `version`."""

    version: int
    oldest_code: int | None


def read_migrations(dialect: str) -> tuple[Migration, ...]:
    """All steps of a dialect, in order."""
    folder = files("evenkeel.hotpath.storage") / "migrations" / dialect
    return tuple(sorted(_parsed((file.name, file.read_text("utf-8")) for file in folder.iterdir()), key=_by_version))


def _by_version(migration: Migration) -> int:
    return migration.version


def _parsed(named_texts: Iterable[tuple[str, str]]) -> Iterable[Migration]:
    for name, text in named_texts:
        match, oldest = _FILE.fullmatch(name), _OLDEST.search(text)
        if match and oldest:
            yield Migration(int(match[1]), match[2], int(oldest[1]), text)


def pending(migrations: Sequence[Migration], applied: Sequence[Applied], *, migrate: bool) -> tuple[Migration, ...]:
    """What is left to apply.

    Raises `SchemaTooNewError` if the database demands newer code, `SchemaMissingError` if steps are left but may not
    run.
    """
    known = migrations[-1].version
    demanded = max((row.version if row.oldest_code is None else row.oldest_code for row in applied), default=0)
    if demanded > known:
        raise SchemaTooNewError(max(row.version for row in applied), known)
    done = {row.version for row in applied}
    left = tuple(step for step in migrations if step.version not in done)
    if left and not migrate:
        raise SchemaMissingError(f"migration {left[0].version} ({left[0].name}) has not run")
    return left
