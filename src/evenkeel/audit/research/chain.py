"""The chain of providers that the settings ask for: who is asked in which order, and how each is reached.

The audited tree is not trusted with this machine. Its settings may turn research on and choose among the servers known
here; a program or an address of its own is used only when the caller asks for research himself, and no server is ever
given an environment variable that is not made for research.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from evenkeel.audit.model.briefing import BUILT_IN
from evenkeel.audit.model.settings import ResearchSettings, ServerSettings
from evenkeel.audit.research.handbook import Handbook
from evenkeel.audit.research.provider import Answers, Provider
from evenkeel.kernel.errors import ConfigurationError

CONTEXT7 = ServerSettings(url="https://mcp.context7.com/mcp", key_env="CONTEXT7_API_KEY")
REF_URL, REF_KEY = "https://api.ref.tools/mcp", "REF_API_KEY"
LIBRARY_PAGES = "https://context7.com"
KNOWN = {"context7": CONTEXT7, "ref": ServerSettings(url=REF_URL, key_env=REF_KEY)}
VARIABLE = re.compile(r"(?:CONTEXT7|REF|EVENKEEL_RESEARCH)_[A-Z0-9_]{1,60}")
EXTRA = "needs the extra: pip install 'evenkeel[mcp]'"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller brings: the environment, the day, a folder for answers (None: none are kept), and his word.

    `asked`: research was asked for on the command line, so servers that the settings define may be used."""

    environment: Mapping[str, str]
    today: str
    cache: Path | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """A provider that cannot be asked, and why."""

    name: str
    why: str

    def answer(self, questions: object) -> Answers:  # noqa: ARG002 - the port's signature
        """Nothing but the note."""
        return Answers(note=f"{self.name} {self.why} (unconfigured), so it was not asked")


def build_providers(settings: ResearchSettings, caller: Caller) -> tuple[Provider, ...]:
    """The providers in their order; the handbook alone when research is neither asked for nor configured.

    Raises ConfigurationError for a provider that is not defined, and for a definition that cannot be used."""
    _check(settings)
    if not (caller.asked or settings.enabled):
        return (Handbook(),)
    return tuple(_provider(name, settings, caller) for name in dict.fromkeys(settings.providers))


def _check(settings: ResearchSettings) -> None:
    where = "tool.evenkeel.research"
    for name, server in settings.servers.items():
        if bool(server.command) == bool(server.url):
            raise ConfigurationError(f"{where}.servers.{name}: one of command and url is needed.", hint="Give one.")
        for variable in (*server.env, *([server.key_env] if server.key_env else [])):
            if not VARIABLE.fullmatch(variable):
                raise ConfigurationError(
                    f"{where}.servers.{name}: {variable} is not handed to a server.",
                    hint="Variables for research begin with CONTEXT7_, REF_ or EVENKEEL_RESEARCH_.",
                )
        if server.url and not _is_safe(server.url):
            raise ConfigurationError(
                f"{where}.servers.{name}: {server.url!r} is no address that can be used.",
                hint="Give https://…, or http:// for a server on this machine.",
            )
    for name in settings.providers:
        if name != BUILT_IN and name not in KNOWN and name not in settings.servers:
            hint = f"Known: {', '.join([*KNOWN, BUILT_IN])}; others are defined in {where}.servers."
            raise ConfigurationError(f"{where}.providers: {name!r} is not defined.", hint=hint)


def _provider(name: str, settings: ResearchSettings, caller: Caller) -> Provider:
    if name == BUILT_IN:
        return Handbook()
    if name in settings.servers and not caller.asked:
        return Absent(name, "is defined by the audited project, which --research on the command line allows")
    if importlib.util.find_spec("mcp") is None:
        return Absent(name, EXTRA)
    return _over_mcp(name, settings, caller)


def _over_mcp(name: str, settings: ResearchSettings, caller: Caller) -> Provider:
    from evenkeel.audit.research import mcp  # noqa: PLC0415 - an extra

    server = settings.servers.get(name) or KNOWN[name]
    key = caller.environment.get(server.key_env, "") if server.key_env else ""
    if server.command:
        from evenkeel.audit.research.stdio import INHERITED  # noqa: PLC0415 - an extra

        given = {each: caller.environment[each] for each in (*INHERITED, *server.env) if each in caller.environment}
        opening = mcp.stdio(server.command, given)
    elif name == "ref" and server.url == REF_URL:
        if not key:
            return Absent(name, f"lacks its key: set {REF_KEY}")
        opening = mcp.http(f"{REF_URL}?apiKey={quote(key, safe='')}", {}, settings.deadline)
    else:
        opening = mcp.http(server.url, {"Authorization": f"Bearer {key}"} if key else {}, settings.deadline)
    identity = " ".join([name, *server.command, server.url])
    target = mcp.Target(name, identity, opening, LIBRARY_PAGES if name == "context7" else "")
    from evenkeel.audit.research.answers import Cache  # noqa: PLC0415 - loaded where servers are asked

    cache = Cache(caller.cache, caller.today, settings.max_age_days) if caller.cache else None
    return mcp.McpProvider(target, caller.today, settings.deadline, cache)


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username or parts.password:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
