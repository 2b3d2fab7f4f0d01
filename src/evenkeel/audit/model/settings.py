"""What a project or a caller can set about its audit: `[tool.evenkeel]` in pyproject.toml, or evenkeel.toml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

FailOn = Literal["critical", "high", "medium", "low"]
Positive = Annotated[int, msgspec.Meta(ge=1, le=256)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]
Characters = Annotated[int, msgspec.Meta(ge=2000)]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """An MCP server that knows documentation: a command (stdio) or an address (streamable HTTP)."""

    command: tuple[str, ...] = ()  # program and arguments; speaks MCP over stdin and stdout
    url: str = ""  # https://, or http:// on this machine
    env: tuple[str, ...] = ()  # names of environment variables that the command is given
    key_env: str = ""  # name of the environment variable whose value is sent to `url` as the bearer token


class ResearchSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Whether good practice is asked for through MCP, of whom, and for how long."""

    enabled: bool = False  # ask without `--research` on the command line
    providers: tuple[str, ...] = ("context7", "ref", "handbook")  # asked in this order
    deadline: Seconds = 20.0  # seconds that one provider may take in all, connecting included
    max_age_days: Days = 30  # an answer this old is asked for again; 0: always
    servers: dict[str, ServerSettings] = {}  # further providers, or other servers for context7 and ref


class TrackerSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Where in Linear the one task goes. Whether there is one is said with `--tracker` alone."""

    team: str = ""  # Linear: UUID, key, name or address of the team (default: as the board says)
    project: str = ""  # Linear: UUID or name (default: the team's project "Epic 0")
    require_project: bool = False  # no project, no task
    create_labels: bool = False  # create the labels that the team lacks
    max_description: Characters = 50_000  # characters; a longer report is cut, with a pointer to the whole


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """Every key has a default; None and empty mean: as if it were not there."""

    select: tuple[str, ...] = ()  # slugs or categories; empty: all rules
    ignore: tuple[str, ...] = ()  # slugs or categories
    exclude: tuple[str, ...] = ()  # gitignore-style patterns, relative to the root
    fail_on: FailOn | None = None
    per_file_ignores: dict[str, tuple[str, ...]] = {}  # gitignore-style pattern -> slugs or categories
    jobs: Positive | None = None  # processes that read; None: one per processor
    timeout: Seconds | None = None  # of each worker, in seconds
    lang: Literal["en", "zh"] = "en"  # of reports, plan and task
    baseline: str | None = None  # file, relative to the root: its findings are known and not reported
    effects: dict[str, Any] = {}  # the project's own catalogue
    research: ResearchSettings = ResearchSettings()  # who is asked for good practice: see below
    tracker: TrackerSettings = TrackerSettings()  # where the one task goes: see below
