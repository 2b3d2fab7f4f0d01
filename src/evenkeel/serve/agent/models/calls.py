"""What a model is asked, and how it answers. The leaf of this package."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from evenkeel.hotpath.ports.messages import Message
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.agent.settings import ModelSettings
from evenkeel.serve.ports.runs import Usage

_NO_FUNCTION_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it; `parameters` is a JSON schema. `name` is made of [A-Za-z0-9_-@.]."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants to be called. `problem` = why its arguments could not be read."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One question. `tools` are sent along in the mode `function_call`; in the mode `tool_call` the system prompt tells
    of them.
    """

    messages: Sequence[Message]
    tools: tuple[ToolSpec, ...] = ()


@dataclass(slots=True)
class Reply:
    """What a stream leaves behind beside its text, complete once the stream has ended."""

    usage: Usage | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text as it came, of the answer and of the reasoning; what arrived together is one piece."""

    text: str = ""
    reasoning: str = ""


class Model(Protocol):
    """One model, open for as long as the agent is."""

    @property
    def settings(self) -> ModelSettings: ...

    @property
    def name(self) -> str:
        """As the endpoint knows it."""
        ...

    def stream(self, call: ModelCall, reply: Reply) -> AsyncIterator[Piece]:
        """Ask once. Raises `ModelFailedError`. Closing the iterator, or cancelling who reads it, ends the connection."""
        ...

    def request(self, call: ModelCall) -> Mapping[str, Any]:
        """What would be sent, for `debug_payload`."""
        ...


class ModelFailedError(EvenkeelError):
    """A model did not answer as it should. `passing` = the same call may succeed later, after `retry_after_s`;
    `timed_out` = it took longer than it may.
    """

    def __init__(self, message: str, *, passing: bool, retry_after_s: float = 0.0, timed_out: bool = False) -> None:
        super().__init__(message, hint="Look at the model's settings (agent.models), and whether its endpoint is up.")
        self.passing = passing
        self.retry_after_s = retry_after_s
        self.timed_out = timed_out


def function_name(name: str) -> str:
    """A tool's name where only letters, digits, `_` and `-` may be, as in function calls."""
    return _NO_FUNCTION_NAME.sub("_", name.replace("@", "__"))[:64]
