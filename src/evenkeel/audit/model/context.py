"""The context store: built once after discovery and research, passed to every worker, never changed.

Its published form is the `context` object of the machine-readable result. Workers get the whole profile as well, so
that rules can name the file and line of a fact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from evenkeel.audit.model.profile import Profile, Role, Setting, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

Plain = bool | int | float | str | None

# What each setting is when the factory that takes it is called without it: the library's documented default.
FACTORY_DEFAULTS: dict[str, dict[str, Plain]] = {
    "sessionmaker": {"expire_on_commit": True, "autoflush": True},
    "async_sessionmaker": {"expire_on_commit": True, "autoflush": True},
    "Session": {"expire_on_commit": True, "autoflush": True},
    "AsyncSession": {"expire_on_commit": True, "autoflush": True},
    "create_engine": {"pool_size": 5, "max_overflow": 10, "pool_pre_ping": False, "pool_recycle": -1},
    "create_async_engine": {"pool_size": 5, "max_overflow": 10, "pool_pre_ping": False, "pool_recycle": -1},
}
# What Django does unless DATABASES says otherwise.
TECHNOLOGY_DEFAULTS: dict[str, dict[str, Plain]] = {
    "django": {"ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0},
}
_NUMBER = re.compile(r"-?\d[\d_]*(\.\d+)?")


class ContextStore(msgspec.Struct, frozen=True, gc=False):
    """What a worker knows before it reads a file.

    `tech_stack` has the keys db, orm and async (None: none found). `best_practices` has one entry a technology.
    `db_config` has the settings that were found (plain values where the code states a literal, else its text), the
    defaults of the factories and frameworks that were found, `triggers` [{table, event, function[, channel_name]}] and
    `event_subscribers` [{channel_name, file, line}]. `codebase_root` is absolute, so that workers can open files.
    """

    tech_stack: dict[str, str | None]
    best_practices: dict[str, Any]
    db_config: dict[str, Any]
    codebase_root: str
    profile: Profile


def build_context(profile: Profile, briefing: Mapping[str, Any]) -> ContextStore:
    """The context store of one run. Pure: equal arguments give equal stores, with keys in the same order.

    `briefing` maps a technology's canonical name to what research found about it, as plain JSON-able values."""
    return ContextStore(
        tech_stack={"db": _name(profile, "database"), "orm": _name(profile, "orm"), "async": _name(profile, "async")},
        best_practices={name: briefing[name] for name in sorted(briefing)},
        db_config=_database_configuration(profile),
        codebase_root=profile.root,
        profile=profile,
    )


def published(context: ContextStore) -> dict[str, Any]:
    """The `context` object of the result: the root is written `.`, so that it is the same wherever the tree lies."""
    return {
        "tech_stack": context.tech_stack,
        "best_practices": context.best_practices,
        "db_config": context.db_config,
        "codebase_root": ".",
    }


def plain(text: str) -> Plain:
    """A literal as a value: True, None, numbers and quoted text of Python; any other text stays as it is."""
    folded = text.strip()
    constant = {"True": True, "False": False, "None": None, "true": True, "false": False}
    if folded in constant:
        return constant[folded]
    if _NUMBER.fullmatch(folded):
        return float(folded) if "." in folded else int(folded)
    if len(folded) >= 2 and folded[0] in "'\"" and folded[-1] == folded[0]:
        return folded[1:-1]
    return folded


def _name(profile: Profile, role: Role) -> str | None:
    found = profile.first(role)
    return found.name if found else None


def _database_configuration(profile: Profile) -> dict[str, Any]:
    stated = {each.name: plain(each.literal) for each in _first_of_each(profile.settings)}
    defaults = [FACTORY_DEFAULTS.get(factory.call, {}) for factory in profile.factories]
    defaults += [TECHNOLOGY_DEFAULTS.get(technology.name, {}) for technology in profile.technologies]
    settings: dict[str, Plain] = {name: value for each in defaults for name, value in each.items()} | stated
    return {
        **{name: settings[name] for name in sorted(settings)},
        "triggers": [_trigger(each) for each in profile.triggers],
        "event_subscribers": [
            {"channel_name": each.channel, "file": each.source.file, "line": each.source.line}
            for each in profile.listeners
        ],
    }


def _first_of_each(settings: tuple[Setting, ...]) -> list[Setting]:
    found: dict[str, Setting] = {}
    for each in settings:
        found.setdefault(each.name, each)
    return list(found.values())


def _trigger(each: Trigger) -> dict[str, str]:
    entry = {"table": each.table, "event": each.event, "function": each.function}
    return {**entry, "channel_name": each.channel} if each.channel else entry
