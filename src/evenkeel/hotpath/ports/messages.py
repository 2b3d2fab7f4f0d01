"""Lean messages: what is logged, encoded and fed back costs no copy of the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Message = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """What a log needs to know of a message list: never its text."""

    count: int
    size_bytes: int
    roles: tuple[tuple[str, int], ...]
    last_role: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A tool result after its one truncation: `text` ends in a marker if `dropped_bytes` > 0; never half a
    character.
    """

    text: str
    size_bytes: int
    dropped_bytes: int


class LeanMessages(Protocol):
    """Pure calls; the encode buffer is reused, so results are bytes of their own, safe to keep."""

    def summary(self, messages: Sequence[Message]) -> MessageSummary:
        """Count and measure by reference."""
        ...

    def redacted(self, message: Message, keep_bytes: int = 120) -> Mapping[str, object]:
        """A view for logs: secrets masked, long texts cut; the original is neither copied nor changed."""
        ...

    def encode(self, value: object) -> bytes:
        """JSON in UTF-8, one line. Raises `UnencodableError` for lone surrogates, `UsageError` for other types."""
        ...

    def cut(self, result: str, bound_bytes: int) -> Cut:
        """Truncate a tool result, early and once: the cut text goes to the model, the log and the event alike."""
        ...
