"""What a tool is. The leaf of this package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evenkeel.kernel.errors import UsageError
from evenkeel.serve.agent.models.calls import ToolSpec


@dataclass(frozen=True, slots=True)
class Place:
    """For whom and where a tool works."""

    user_id: str
    agent_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """An event that a tool wants said beside its result; `stored` False = live only."""

    kind: str
    data: Mapping[str, Any]
    stored: bool = True


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`data` is JSON. `error` "" = it worked. `said` events come before the result's own, `after` events behind it."""

    data: object
    error: str = ""
    said: tuple[Said, ...] = ()
    after: tuple[Said, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)


class ToolProblemError(UsageError):
    """What was asked of a tool cannot be done: the model gets the message as the call's error."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="")


Call = Callable[[Mapping[str, Any], Place], Awaitable[ToolResult]]


@dataclass(frozen=True, slots=True)
class Tool:
    """`aliases` are other names under which it may be called. `ends` = the stop reason of a turn that it ends;
    `silent` = then neither `tool_call` nor `tool_result` is said. `timeout_s` None = the settings' time-out.
    """

    spec: ToolSpec
    call: Call
    aliases: tuple[str, ...] = ()
    ends: str = ""
    silent: bool = False
    timeout_s: float | None = None
    shown: str = ""

    @property
    def name(self) -> str:
        """Its name in the history."""
        return self.spec.name

    @property
    def title(self) -> str:
        """Its name in events: the one that the contract gives it, where it gives one."""
        return self.shown or self.spec.name


def text_of(arguments: Mapping[str, Any], *names: str, default: str | None = None) -> str:
    """The first of these arguments that is there. Raises `ToolProblemError` for one that is missing or no text."""
    for name in names:
        if name in arguments:
            value = arguments[name]
            if not isinstance(value, str):
                raise ToolProblemError(f"The argument {name!r} must be a text.")
            return value
    if default is None:
        raise ToolProblemError(f"The argument {names[0]!r} is missing.")
    return default


def schema(required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema of an object."""
    return {"type": "object", "properties": properties, "required": list(required)}


def string(description: str) -> dict[str, Any]:
    """The schema of a text."""
    return {"type": "string", "description": description}
