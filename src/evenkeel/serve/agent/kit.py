"""What every turn works with, and what is decided for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from evenkeel.serve.agent.history import History
from evenkeel.serve.agent.metering import AgentMeter
from evenkeel.serve.agent.models.calls import Model
from evenkeel.serve.agent.models.catalogue import Models
from evenkeel.serve.agent.narration import Narrator
from evenkeel.serve.agent.settings import AgentSettings
from evenkeel.serve.agent.tools.kinds import Place
from evenkeel.serve.agent.tools.toolbox import RunTools, Toolbox
from evenkeel.serve.ports.failures import RunRefusedError
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import OnEnd


@dataclass(frozen=True, slots=True)
class Kit:
    """Opened once for the whole agent. `on_end` hears of runs that are answered elsewhere, too."""

    parts: Parts
    settings: AgentSettings
    models: Models
    toolbox: Toolbox
    meter: AgentMeter
    on_end: OnEnd | None = None


@dataclass(slots=True)
class Scene:
    """One turn. `away_s` grows by what it waits for the model and for tools."""

    kit: Kit
    request: RunRequest
    settings: AgentSettings
    voice: Narrator
    history: History
    model: Model
    tools: RunTools
    place: Place
    user_round: int
    away_s: float = 0.0

    @property
    def functions(self) -> bool:
        """Which of the two tool protocols."""
        return self.model.settings.tool_call_mode == "function_call"

    def now(self) -> float:
        """For durations."""
        return self.kit.parts.clock.monotonic_s()


def settings_for(settings: AgentSettings, overrides: dict[str, Any]) -> AgentSettings:
    """The settings of a run: the server's, with what the request overrides.

    A request may change what its own answer is made of (models' parameters, tools, history, prompt), not where things
    are or whom they belong to. Raises `RunRefusedError` for anything else.
    """
    if not overrides:
        return settings
    given = overrides.get("agent", overrides)
    if not isinstance(given, dict):
        raise _refused("agent must be an object")
    for path in _leaves(given, ()):
        if not _may_change(path):
            raise _refused(f"{'.'.join(path)} cannot be overridden")
    try:
        merged = _merged(msgspec.to_builtins(settings), given)
        return msgspec.convert(merged, AgentSettings)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None


_OF_A_MODEL = frozenset(
    {"temperature", "max_tokens", "stop", "max_rounds", "retries", "tool_call_mode", "context_tokens", "stream"}
)
_WHOLE = frozenset({"model", "language", "prompt"})
_TABLES = frozenset({"tools", "history"})


def _may_change(path: tuple[str, ...]) -> bool:
    if path[0] == "models":
        return len(path) >= 3 and path[2] in _OF_A_MODEL
    return path[0] in _WHOLE or path[0] in _TABLES


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, inner in value.items():
        here = (*path, str(name))
        if len(here) > 8:
            raise _refused("it is nested too deeply")
        found += _leaves(inner, here) if isinstance(inner, dict) and inner else [here]
    return found


def _merged(base: Any, changes: dict[str, Any]) -> Any:
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _refused(reason: str) -> RunRefusedError:
    return RunRefusedError(
        "INVALID_REQUEST", f"config_overrides: {reason}.", hint="See docs/guide/agent.md for what a request may change."
    )
