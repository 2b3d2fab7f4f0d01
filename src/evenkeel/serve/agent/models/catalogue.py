"""The models that the settings name, open together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import msgspec

from evenkeel.hotpath.ports.messages import LeanMessages
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.agent.models.calls import Model
from evenkeel.serve.agent.models.offline import OfflineModel
from evenkeel.serve.agent.models.openai import OpenAiModel
from evenkeel.serve.agent.settings import OFFLINE, AgentSettings, ModelSettings
from evenkeel.serve.ports.failures import RunRefusedError

BUILT_IN = ModelSettings(provider="offline", model=OFFLINE)


@dataclass(frozen=True, slots=True)
class Models:
    """By the names of `agent.models`."""

    http: aiohttp.ClientSession
    lean: LeanMessages
    clock: Clock
    models: Mapping[str, Model]

    def named(self, name: str, settings: AgentSettings, given: AgentSettings) -> Model:
        """The model of a run. `settings` are those of the run, `given` those of the server; where they differ, the
        model is made for this run. Raises `RunRefusedError` (LLM_UNAVAILABLE) for a name without an entry.
        """
        wanted = name or settings.model
        model = self.models.get(wanted)
        if model is None:
            raise RunRefusedError(
                "LLM_UNAVAILABLE",
                f"There is no model {wanted!r}.",
                hint=f"Name one of: {', '.join(sorted(self.models))}.",
            )
        changed = settings.models.get(wanted)
        if changed is None or settings is given or changed == given.models.get(wanted):
            return model
        return _made(wanted, changed, self.http, self.lean, self.clock)


def completed(settings: AgentSettings) -> AgentSettings:
    """With the entry that is always there."""
    return msgspec.structs.replace(settings, models={OFFLINE: BUILT_IN, **settings.models})


@asynccontextmanager
async def open_models(settings: AgentSettings, lean: LeanMessages, clock: Clock) -> AsyncIterator[Models]:
    """Raises `ConfigurationError` for an entry that cannot be used, or a default that has none."""
    connector = aiohttp.TCPConnector(limit=settings.connections)
    async with aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as http:
        entries = settings.models
        if settings.model not in entries:
            raise ConfigurationError(
                f"agent.model is {settings.model!r}, and agent.models has no such entry.",
                hint=f"Name one of: {', '.join(sorted(entries))}.",
            )
        models = {name: _made(name, entry, http, lean, clock) for name, entry in entries.items()}
        yield Models(http, lean, clock, models)


def _made(name: str, settings: ModelSettings, http: aiohttp.ClientSession, lean: LeanMessages, clock: Clock) -> Model:
    if settings.provider == "offline":
        return OfflineModel(name, settings, clock)
    return OpenAiModel(name, msgspec.structs.replace(settings, api_key=""), _key(name, settings), http, lean)


def _key(name: str, settings: ModelSettings) -> str:
    if settings.api_key or not settings.api_key_env:
        return settings.api_key
    key = os.environ.get(settings.api_key_env, "")
    if not key:
        raise ConfigurationError(
            f"agent.models.{name}: the environment variable {settings.api_key_env} is not set.",
            hint="Set it, or leave api_key_env out for an endpoint without a key.",
        )
    return key
