"""Templates: how each provider wants to be treated, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec

from evenkeel.hotpath.ports.dispatcher import BackoffTemplate, SendClass
from evenkeel.kernel.errors import ConfigurationError

DEFAULT = "default"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provider's table, complete."""

    base_s: float
    factor: float
    max_s: float
    jitter: float
    retry_after_max_s: float
    max_retries: int
    timeout_s: float
    final: frozenset[SendClass]
    statuses: dict[str, SendClass]


@dataclass(frozen=True, slots=True)
class Provider:
    """Waits, and the meaning of HTTP statuses (`429`, or a class such as `4xx`)."""

    backoff: BackoffTemplate
    statuses: Mapping[str, SendClass]

    def meaning(self, status: int) -> SendClass:
        """The most exact entry for a status; what no entry covers counts as a refusal."""
        exact = self.statuses.get(str(status))
        return exact or self.statuses.get(f"{status // 100}xx", SendClass.REJECTED)


@dataclass(frozen=True, slots=True)
class Templates:
    """By channel."""

    providers: Mapping[str, Provider]

    def of(self, channel: str) -> Provider:
        """The channel's own, or the default."""
        return self.providers.get(channel) or self.providers[DEFAULT]

    @property
    def longest_s(self) -> float:
        """The longest that a send may take."""
        return max(provider.backoff.timeout_s for provider in self.providers.values())


def read_templates(own: str = "") -> Templates:
    """The shipped templates, with those of `own` (TOML of the same shape) laid over them. Reads a file: call it
    before the event loop runs, or in a thread.

    Raises `ConfigurationError` for broken TOML, an unknown key, or a value out of range; it names the table.
    """
    shipped = _parsed((files("evenkeel.hotpath.outbox") / "templates.toml").read_text("utf-8"), "templates.toml")
    given = _parsed(own, "outbox.templates")
    default = _over(shipped[DEFAULT], given.get(DEFAULT, {}))
    names = {*shipped, *given} - {DEFAULT}
    tables = {name: _over(_over(default, shipped.get(name, {})), given.get(name, {})) for name in names}
    providers = {name: _provider(name, table) for name, table in {DEFAULT: default, **tables}.items()}
    return Templates(MappingProxyType(providers))


def _parsed(text: str, source: str) -> dict[str, dict[str, Any]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}.", hint="Mend that line first.") from error
    for name, table in data.items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"{source}: {name} is not a table.", hint=f"Write it as [{name}].")
    return data


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`; statuses are merged entry by entry."""
    statuses = {**base.get("statuses", {}), **own.get("statuses", {})}
    return {**base, **own, "statuses": statuses}


def _provider(name: str, table: Mapping[str, Any]) -> Provider:
    try:
        values = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"outbox.templates.{name}: {error}.", hint="See outbox/templates.toml.") from None
    if min(values.base_s, values.timeout_s, values.factor) <= 0 or not 0 <= values.jitter < 1 or values.max_retries < 0:
        raise ConfigurationError(
            f"outbox.templates.{name} has a value out of range.",
            hint="base_s, factor, timeout_s > 0; 0 <= jitter < 1; max_retries >= 0.",
        )
    backoff = BackoffTemplate(
        name,
        values.base_s,
        values.factor,
        values.max_s,
        values.jitter,
        values.retry_after_max_s,
        values.max_retries,
        values.timeout_s,
        values.final,
    )
    return Provider(backoff, MappingProxyType(values.statuses))
