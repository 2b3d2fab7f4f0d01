"""The profile: metadata of the audited code base, each fact with its source. Built by discovery, before any worker starts."""

from __future__ import annotations

from typing import Literal

import msgspec


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a fact was read: file relative to the root, forward slashes, and 1-based line (0: the file as a whole)."""

    file: str
    line: int = 0


class Technology(msgspec.Struct, frozen=True, gc=False):
    """A technology in use. `version` is as declared ("" unknown): `2.0.31`, `>=0.115,<1`, `16-alpine`."""

    name: str  # canonical lower case: postgresql, sqlalchemy, fastapi, asyncio
    role: Literal["language", "database", "orm", "driver", "web", "async", "queue", "cache", "other"]
    version: str = ""
    sources: tuple[Source, ...] = ()


class Trigger(msgspec.Struct, frozen=True, gc=False):
    """A database trigger found in migrations. `channel` is set when its function notifies."""

    table: str
    event: str  # INSERT, UPDATE, DELETE, or several joined with " OR "
    function: str
    source: Source
    channel: str = ""
    notifies: bool = False


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One setting of the engine, session or pool, as the code states it."""

    name: str  # expire_on_commit, pool_size, max_overflow, autoflush, isolation_level, ATOMIC_REQUESTS, ...
    value: str
    source: Source


class Listener(msgspec.Struct, frozen=True, gc=False):
    """A place that listens to a notification channel (LISTEN, add_listener)."""

    channel: str
    source: Source


class Decision(msgspec.Struct, frozen=True, gc=False):
    """An architecture decision record or a documented plan."""

    number: str  # "12"; "" for a plan without number
    title: str
    status: str  # accepted, superseded, rejected, proposed, planned, ...
    source: Source
    text: str = ""


class Board(msgspec.Struct, frozen=True, gc=False):
    """The tracker's coordinates from the board, placeholders left out."""

    provider: str = ""
    team_id: str = ""
    team_uuid: str = ""
    team_key: str = ""
    team_name: str = ""
    workspace_url: str = ""
    epic: str = ""
    sources: tuple[Source, ...] = ()


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Everything discovery found."""

    root: str
    technologies: tuple[Technology, ...] = ()
    settings: tuple[Setting, ...] = ()
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
        """The first setting of that name."""
        return next((each for each in self.settings if each.name == name), None)
