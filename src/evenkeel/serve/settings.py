"""Every setting of the server: one section a room, read from file, environment and flags, later ones winning.

File: TOML, sections as tables. Environment: `EVENKEEL_<SECTION>__<KEY>`, and `EVENKEEL_API_KEY` for `auth.api_key`. An
unknown key is refused by its path wherever it comes from, so a misspelt bound is not a bound that silently is not there.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from evenkeel.hotpath.cancellation import CancelRules
from evenkeel.hotpath.events import BusRules
from evenkeel.hotpath.limiter import LimiterRules
from evenkeel.hotpath.outbox import DispatchRules
from evenkeel.hotpath.passwords import HashRules
from evenkeel.hotpath.ports.task_queue import QueueRules
from evenkeel.hotpath.storage import StorageSettings
from evenkeel.hotpath.storage.addresses import shown
from evenkeel.hotpath.writes import WriterRules
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.kernel.settings import convert, read_toml
from evenkeel.serve.agent.settings import AgentSettings
from evenkeel.serve.api.settings import ApiSettings, AuthSettings
from evenkeel.serve.channels.settings import ChannelsSettings
from evenkeel.serve.operations import OperationsSettings

PREFIX = "EVENKEEL_"
API_KEY = "EVENKEEL_API_KEY"
DEFAULTS: dict[str, Any] = {
    "storage": {"dsn": "sqlite:///evenkeel.db"},
    "limiter": {"max_active": 300, "lease_s": 10.0},  # a killed process's sessions come back within 15 s
}
NOT_SETTINGS = frozenset({"instance", "terminal", "unbegun"})  # one a process; objects of the program
SECRETS = ("key", "password", "secret", "token", "authorization")
MASK = "***"
PLAIN = (bool, int, float, str)


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `server`: the processes and their sockets.

    `instances` processes share the port; one that dies is started again after `restart_s`, twice as long each time up
    to `restart_max_s`. `connections` at once to one process, more are refused. `keep_alive_s` = how long an idle HTTP
    connection stays. Stopping waits `graceful_s` for requests under way. `forwarded_from`: addresses of proxies whose
    `X-Forwarded-For` is believed. `full_collection_s`: how often Python may look at all objects for cycles, which stops
    the process for up to a second when it has thousands of connections; 0 = when Python thinks fit.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    instances: int = 1
    connections: int = 40_000
    backlog: int = 4096
    keep_alive_s: int = 5
    graceful_s: int = 10
    restart_s: float = 0.5
    restart_max_s: float = 30.0
    forwarded_from: tuple[str, ...] = ()
    full_collection_s: float = 300.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All sections. Sections that are dataclasses are the rules of the parts themselves, documented there."""

    profile: str = "optimised"
    switches: dict[str, str | int] = {}
    server: ServerSettings = ServerSettings()
    api: ApiSettings = ApiSettings()
    auth: AuthSettings = AuthSettings()
    storage: StorageSettings
    limiter: LimiterRules
    events: BusRules = msgspec.field(default_factory=BusRules)
    writes: WriterRules = msgspec.field(default_factory=WriterRules)
    operations: OperationsSettings = OperationsSettings()
    agent: AgentSettings = AgentSettings()
    channels: ChannelsSettings = ChannelsSettings()
    agent_queue: QueueRules = msgspec.field(default_factory=QueueRules)
    outbox: DispatchRules = msgspec.field(default_factory=DispatchRules)
    cancellation: CancelRules = msgspec.field(default_factory=CancelRules)
    passwords: HashRules = msgspec.field(default_factory=HashRules)


def read_settings(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """File, then environment, then `flags` (`"server.port": 8001`). Raises ConfigurationError, which names the key."""
    layers = (
        (file.name if file else "settings", read_toml(file) if file else {}),
        ("the environment", _from_environment(environ)),
        ("the command line", _nested((key.split("."), value) for key, value in flags.items() if value is not None)),
    )
    merged = DEFAULTS
    for source, layer in layers:
        _refuse_unknown(layer, Settings, source, ())
        merged = _merged(merged, layer)
        settings = convert(merged, Settings, source=source, strict=False)
    return settings


def rendered(settings: Settings) -> str:
    """The effective settings as JSON, secrets masked: safe to print and to send with a report."""
    return json.dumps(_shown(settings, ""), indent=2, ensure_ascii=False)


def keys(shape: type) -> dict[str, Any]:
    """What may be set in a section, by name: plain values and tables; not clocks and other objects of the program."""
    hints = get_type_hints(shape)
    return {
        name: hint
        for name, hint in hints.items()
        if name not in NOT_SETTINGS and (_is_plain(hint) or _table(hint) is not None)
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Only names with a section are settings; `EVENKEEL_DEBUG` and its like are not."""
    found = [
        (name.removeprefix(PREFIX).lower().split("__"), _value(text))
        for name, text in sorted(environ.items())
        if name.startswith(PREFIX) and "__" in name
    ]
    if environ.get(API_KEY):
        found.append((["auth", "api_key"], environ[API_KEY]))
    return _nested(found)


def _value(text: str) -> Any:
    """Lists and tables are written as JSON."""
    if text[:1] not in {"[", "{"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nested(found: Iterable[tuple[Sequence[str], Any]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in found:
        place = nested
        for part in path[:-1]:
            inner = place.setdefault(part, {})
            place = inner if isinstance(inner, dict) else place
        place[path[-1]] = value
    return nested


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _refuse_unknown(data: Mapping[str, Any], shape: type, source: str, path: tuple[str, ...]) -> None:
    known = keys(shape)
    for key, value in data.items():
        here = (*path, key)
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
            raise ConfigurationError(f"{source}: {'.'.join(here)} is not a known setting.", hint=hint)
        if not isinstance(value, dict):
            continue
        table = _table(known[key])
        if table is not None:
            _refuse_unknown(value, table, source, here)
        elif (entry := _table(get_args(known[key])[-1:] or None)) is not None:  # a table of tables, by name
            for name, inner in value.items():
                if isinstance(inner, dict):
                    _refuse_unknown(inner, entry, source, (*here, name))


def _table(hint: Any) -> type | None:
    """The shape of a table, also of one that may be missing."""
    if get_origin(hint) is dict:
        return None
    for each in hint if isinstance(hint, tuple) else (hint, *get_args(hint)):
        if isinstance(each, type) and (dataclasses.is_dataclass(each) or issubclass(each, msgspec.Struct)):
            return each
    return None


def _is_plain(hint: Any) -> bool:
    if hint in PLAIN or hint is Any:
        return True
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Literal:
        return True
    return bool(parts) and all(each in (..., type(None)) or _is_plain(each) or _table(each) for each in parts)


def _shown(value: Any, key: str) -> Any:
    if dataclasses.is_dataclass(value) or isinstance(value, msgspec.Struct):
        return {name: _shown(getattr(value, name), name) for name in keys(type(value))}
    if isinstance(value, dict):
        return {name: _shown(each, name) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(each, key) for each in value]
    if isinstance(value, str) and value:
        if key.endswith("dsn"):
            return shown(value)
        if any(word in key.lower() for word in SECRETS):
            return MASK
    return value
