"""The profile: metadata of the audited code base, each fact with its source.

Built by discovery, before any worker starts.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Role = Literal["language", "database", "orm", "driver", "web", "async", "queue", "cache", "other"]


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a fact was read: file relative to the root, forward slashes, and 1-based line (0: the file as a whole)."""

    file: str
    line: int = 0
    says: str = ""  # what stands there, when several sources state the same thing differently: `>=2`, `16-alpine`


class Technology(msgspec.Struct, frozen=True, gc=False):
    """A technology in use. `version` is as declared ("" unknown): `2.0.31`, `>=0.115,<1`, `16-alpine`.

    The version is the one of the strongest source that states one: lock file, configuration, manifest, import,
    document. Sources are sorted strongest first."""

    name: str  # canonical lower case: postgresql, sqlalchemy, fastapi, asyncio
    role: Role
    version: str = ""
    sources: tuple[Source, ...] = ()

    @property
    def release(self) -> tuple[int, ...]:
        """The lowest release that the declaration allows, as numbers: `>=2.0.31,<3` gives (2, 0, 31); () unknown."""
        return lowest_release(self.version)


class Trigger(msgspec.Struct, frozen=True, gc=False):
    """A database trigger found in migrations. `channel` is set when its function notifies."""

    table: str
    event: str  # INSERT, UPDATE, DELETE, or several joined with " OR "
    function: str  # the trigger's own name when its statements stand in the trigger itself (SQLite, MySQL)
    source: Source
    channel: str = ""  # `jobs_*` when only the beginning of its name is fixed
    notifies: bool = False  # its function sends a notification, directly or through functions it calls
    name: str = ""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One setting of the engine, session or pool, as the code states it."""

    name: str  # expire_on_commit, pool_size, max_overflow, autoflush, isolation_level, ATOMIC_REQUESTS, ...
    value: str
    source: Source
    call: str = ""  # the factory it is passed to: create_async_engine, async_sessionmaker, DATABASES, ...
    default: str = ""  # when the value is a name: the literal which that name is given where settings are declared

    @property
    def literal(self) -> str:
        """The value as far as it is known without running the code: `default` when the value is a name that has one."""
        return self.default or self.value


class Factory(msgspec.Struct, frozen=True, gc=False):
    """A call that makes an engine, a session factory or a pool. Its keyword arguments are in `Profile.settings`."""

    call: str  # create_engine, create_async_engine, sessionmaker, async_sessionmaker, asyncpg.create_pool, ...
    arguments: str  # as written, white space folded, cut at 300 characters
    source: Source


class Listener(msgspec.Struct, frozen=True, gc=False):
    """A place that listens to a notification channel (LISTEN, add_listener)."""

    channel: str
    source: Source


class Decision(msgspec.Struct, frozen=True, gc=False):
    """An architecture decision record or a documented plan."""

    number: str  # "12"; "" for a plan without number
    title: str
    status: (
        str  # accepted, superseded, rejected, deprecated, proposed, planned, ...; "accepted (not stated)" without one
    )
    source: Source
    text: str = ""


class Board(msgspec.Struct, frozen=True, gc=False):
    """The tracker's coordinates from the board and its settings files, placeholders left out.

    `team_id` is as written, and mostly a name: resolve `team_uuid`, then `team_key`, then `team_name`."""

    provider: str = ""
    team_id: str = ""
    team_uuid: str = ""
    team_key: str = ""
    team_name: str = ""
    workspace_url: str = ""
    epic: str = ""  # `Epic 0: Common Tasks`
    status: str = ""  # what the settings say of the provider: `active`, `unavailable (429, 2026-01-02)`
    repository: str = ""  # provider github: owner/name
    project_number: str = ""
    fallback: str = ""  # provider to use when the first one fails
    research: tuple[str, ...] = ()  # providers of documentation, in the order in which to ask them
    sources: tuple[Source, ...] = ()


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Everything discovery found."""

    root: str
    technologies: tuple[Technology, ...] = ()
    settings: tuple[Setting, ...] = ()
    factories: tuple[Factory, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    listeners: tuple[Listener, ...] = ()
    decisions: tuple[Decision, ...] = ()
    board: Board | None = None
    migrations: tuple[str, ...] = ()  # folders that hold migrations
    notes: tuple[str, ...] = ()  # manifests that could not be read and the like

    def technology(self, name: str) -> Technology | None:
        """The technology of that canonical name, if it is in use."""
        return next((each for each in self.technologies if each.name == name), None)

    def setting(self, name: str) -> Setting | None:
        """The first setting of that name: settings are sorted by file and line, factories' arguments first."""
        return next((each for each in self.settings if each.name == name), None)

    def first(self, role: Role) -> Technology | None:
        """The technology of that role with the strongest evidence (technologies are sorted by role and evidence)."""
        return next((each for each in self.technologies if each.role == role), None)


_LOWER_BOUND = re.compile(r"(?P<operator>>=|==|~=|<=|!=|[\^~=<>]?)\s*v?(?P<number>\d+(?:\.\d+)*)")


def lowest_release(version: str) -> tuple[int, ...]:
    """The lowest release that a declared version or range allows, as numbers; () when it names no lower bound.

    `2.0.31`, `==2.0.31`, `^2.0.31`, `>=2.0.31,<3`, `16-alpine` have one; `<3`, `!=2.1`, `latest` and `*` have none."""
    for match in _LOWER_BOUND.finditer(version):
        if match["operator"] not in {"<", "<=", "!="}:
            return tuple(int(part) for part in match["number"].split("."))
    return ()
