"""The doctor: looks at everything a start depends on, changes nothing, and says what to do about what it finds."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2

from evenkeel.hotpath.storage import StorageSettings, build_storage
from evenkeel.hotpath.storage.addresses import dialect_of, shown, sqlite_path
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.metrics import Meters

PACKAGES = ("uvicorn", "uvloop", "httptools", "websockets", "fastapi", "starlette", "msgspec", "apsw", "asyncpg", "mcp")
FIXED_SQLITE = (3, 51, 3)  # older ones can corrupt a write-ahead log with several connections
KEY_CHARACTERS = 16
SPARE_FILES = 256
ENDPOINT_S = 5.0


class State(Enum):
    """How a check went; only BAD keeps the server from working."""

    GOOD = "ok"
    DOUBTFUL = "warn"
    BAD = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report."""

    name: str
    state: State
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: the effective settings, in the words of this room."""

    storage: StorageSettings
    host: str
    port: int
    connections: int
    api_key: str
    profile: str
    workspace: Path | None
    endpoints: Sequence[str] = ()
    config: Path | None = None


async def diagnose(subject: Subject) -> list[Check]:
    """All checks, in the order in which a start meets them."""
    checks = await asyncio.to_thread(_local, subject)
    checks.append(await _database(subject))
    checks += await asyncio.gather(*(_endpoint(each) for each in dict.fromkeys(subject.endpoints)))
    return checks


def is_fit(checks: Sequence[Check]) -> bool:
    """Whether the server can start."""
    return all(each.state is not State.BAD for each in checks)


def _local(subject: Subject) -> list[Check]:
    checks = [_python(), *_packages(), _key(subject.api_key), _port(subject.host, subject.port)]
    checks.append(_files(subject.connections))
    if subject.config is not None:
        checks.append(_config(subject.config))
    if subject.workspace is not None:
        checks.append(_writable("workspace", subject.workspace))
    if dialect_of(subject.storage.dsn) == "sqlite":
        checks += [_sqlite(), _writable("database folder", sqlite_path(subject.storage.dsn).absolute().parent)]
    return checks


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", State.GOOD if sys.version_info >= (3, 11) else State.BAD, found, "Use Python 3.11 or newer.")


def _packages() -> list[Check]:
    missing = [name for name in PACKAGES if _version(name) is None]
    found = ", ".join(f"{name} {_version(name)}" for name in PACKAGES if name not in missing)
    checks = [Check("packages", State.GOOD, found)]
    if missing:
        hint = "pip install 'evenkeel[serve]'"
        checks.append(Check("packages missing", State.DOUBTFUL, ", ".join(missing), hint))
    return checks


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _sqlite() -> Check:
    found = _version("apsw")
    if found is None:
        return Check("sqlite", State.BAD, "apsw is not installed", "pip install 'evenkeel[serve]'")
    numbers = tuple(int(each) for each in found.split(".")[:3] if each.isdigit())
    state = State.GOOD if numbers >= FIXED_SQLITE else State.BAD
    return Check("sqlite", state, f"{found}, from the apsw package", "Update apsw to 3.51.3 or newer.")


def _key(api_key: str) -> Check:
    if not api_key:
        hint = "Set EVENKEEL_API_KEY: without it only administrators' tokens open /wunder, /metrics and the channels."
        return Check("API key", State.DOUBTFUL, "none", hint)
    if len(api_key) < KEY_CHARACTERS:
        hint = "Use 32 random characters: python -c 'import secrets; print(secrets.token_urlsafe(24))'."
        return Check("API key", State.DOUBTFUL, f"only {len(api_key)} characters", hint)
    return Check("API key", State.GOOD, f"{len(api_key)} characters")


def _port(host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            hint = "Stop what listens there, or choose another with --port."
            return Check("port", State.BAD, f"{host}:{port}: {error}", hint)
    return Check("port", State.GOOD, f"{host}:{port} is free")


def _files(connections: int) -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < connections + SPARE_FILES:
        hint = f"ulimit -n {min(hard, connections + SPARE_FILES)}, or lower server.connections."
        return Check("open files", State.DOUBTFUL, f"{soft} allowed, server.connections is {connections}", hint)
    return Check("open files", State.GOOD, f"{soft} allowed")


def _config(path: Path) -> Check:
    if not path.is_file():
        return Check("configuration", State.BAD, f"{path} is not there", "Check --config.")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        hint = f"chmod 600 {path}, or keep keys in the environment."
        return Check("configuration", State.DOUBTFUL, f"{path} can be read by others", hint)
    return Check("configuration", State.GOOD, str(path))


def _writable(name: str, folder: Path) -> Check:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent  # it will be made; what counts is whether that may be done
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Check(name, State.GOOD, str(folder))
    return Check(name, State.BAD, f"{folder} cannot be written", "Make it writable for this user, or name another.")


async def _database(subject: Subject) -> Check:
    """Opens without migrating: what a doctor looks at must look the same afterwards."""
    address = shown(subject.storage.dsn)
    if dialect_of(subject.storage.dsn) == "sqlite":
        path = sqlite_path(subject.storage.dsn)
        if not await asyncio.to_thread(path.exists):
            return Check("database", State.GOOD, f"{address} will be made at the first start")
    settings = replace(subject.storage, migrate=False, janitor=None)
    try:
        async with build_storage(settings, read_switches(subject.profile), Meters()) as storage:
            health = await storage.health()
    except EvenkeelError as error:
        return Check("database", State.BAD, error.message, error.hint)
    state = State.GOOD if health.reachable else State.BAD
    told = f"{health.database} at {address}, schema {health.schema}, wake-ups by {health.wakeups}"
    return Check("database", state, told, "Check that the database runs and accepts connections.")


async def _endpoint(base_url: str) -> Check:
    """Asks a model endpoint for its list of models; any HTTP answer shows that somebody is there."""
    root = base_url.rstrip("/")
    url = f"{root}/models" if root.endswith("/v1") else f"{root}/v1/models"
    name = f"model endpoint {root}"
    try:
        async with httpx2.AsyncClient(timeout=ENDPOINT_S, trust_env=False) as client:
            response = await client.get(url)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        hint = "Check base_url and the network; runs fail with LLM_UNAVAILABLE until it answers."
        return Check(name, State.DOUBTFUL, f"{type(error).__name__}: {error}", hint)
    return Check(name, State.GOOD, f"answers with HTTP {response.status_code}")
