"""Optimised path: messages are looked at where they are; nothing is copied but the few bytes that are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evenkeel.hotpath.lean.secrets import MASK, is_secret_key, masked
from evenkeel.hotpath.lean.texts import cut, head, size_bytes
from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.messages import Cut, Message, MessageSummary
from evenkeel.kernel.errors import UsageError

BUFFER_BYTES = 1024 * 1024
"""A buffer that one large message has blown up beyond this is given back."""
SHOWN = 20
"""Elements of a list or a nested mapping that a log line shows."""
OVERLAP = 256
"""Read beyond what is shown, so that a secret at the edge is recognised whole."""


class RedactedView(Mapping[str, object]):
    """A message for logs. Values are redacted when they are read, so a line that is never formatted costs nothing."""

    __slots__ = ("_keep_bytes", "_message")

    def __init__(self, message: Mapping[str, object], keep_bytes: int) -> None:
        self._message = message
        self._keep_bytes = keep_bytes

    def __getitem__(self, key: str) -> object:
        return _redacted(key, self._message[key], self._keep_bytes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._message)

    def __len__(self) -> int:
        return len(self._message)

    def __repr__(self) -> str:
        return repr(dict(self))


def _redacted(key: str, value: object, keep_bytes: int) -> object:
    if is_secret_key(key):
        return MASK
    if isinstance(value, str):
        return _shortened(value, keep_bytes)
    if isinstance(value, Mapping):
        return RedactedView(value, keep_bytes)
    if isinstance(value, (list, tuple)):
        shown = [_redacted("", each, keep_bytes) for each in value[:SHOWN]]
        return shown if len(value) <= SHOWN else [*shown, f"... {len(value) - SHOWN} more"]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    return value


def _shortened(text: str, keep_bytes: int) -> str:
    safe = masked(text[: keep_bytes + OVERLAP])
    kept = head(safe, keep_bytes)
    if len(text) <= keep_bytes + OVERLAP and len(kept) == len(safe):
        return kept
    return f"{kept}... ({len(text)} characters)"


class ByReference:
    """`LeanMessages`. Belongs to one thread, as its buffer does."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    def summary(self, messages: Sequence[Message]) -> MessageSummary:
        """See the port."""
        roles: dict[str, int] = {}
        total, last = 0, ""
        for message in messages:
            last = str(message.get("role", ""))
            roles[last] = roles.get(last, 0) + 1
            total += _measured(message)
        return MessageSummary(len(messages), total, tuple(sorted(roles.items())), last)

    def redacted(self, message: Message, keep_bytes: int = 120) -> Mapping[str, object]:
        """See the port."""
        return RedactedView(message, keep_bytes)

    def encode(self, value: object) -> bytes:
        """See the port."""
        try:
            self._encoder.encode_into(value, self._buffer)
        except UnicodeEncodeError as error:
            raise UnencodableError("A text", f"a lone surrogate at position {error.start}") from None
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError, RecursionError) as error:
            raise unencodable(error) from None
        encoded = bytes(self._buffer)
        if len(self._buffer) > BUFFER_BYTES:
            self._buffer = bytearray()
        return encoded

    def cut(self, result: str, bound_bytes: int) -> Cut:
        """See the port."""
        return cut(result, bound_bytes)


def unencodable(error: Exception) -> UsageError:
    """The value is of a type that JSON has no place for."""
    return UsageError(
        f"This value cannot be written as JSON: {error}.",
        hint="Use mappings with text keys, lists, texts, numbers, booleans, None.",
    )


def _measured(value: Any) -> int:
    """Bytes of text in a value, however nested, without building anything but a list of what is still to be seen."""
    total, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            total += size_bytes(each)
        elif isinstance(each, Mapping):
            left.extend(each.values())
        elif isinstance(each, (list, tuple)):
            left.extend(each)
        elif isinstance(each, (bytes, bytearray, memoryview)):
            total += len(each)
    return total
