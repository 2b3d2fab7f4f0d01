"""The one place that chooses a path, and the figures around both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenkeel.hotpath.lean.by_reference import ByReference
from evenkeel.hotpath.lean.cloning import Cloning
from evenkeel.hotpath.ports.messages import Cut, LeanMessages, Message, MessageSummary
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard


class MeteredMessages:
    """A `LeanMessages`, measured from outside."""

    def __init__(self, messages: LeanMessages, meters: Meters, path: str) -> None:
        self._messages = messages
        calls = meters.counter("lean", "calls", "Calls, by kind.", ["call"])
        self._calls = {name: calls.labels(path, name) for name in ("summary", "redacted", "encode", "cut")}
        self._encoded = meters.counter("lean", "encoded_bytes", "Bytes of JSON written.").labels(path)
        self._dropped = meters.counter("lean", "dropped_bytes", "Bytes of tool results cut off.").labels(path)

    def summary(self, messages: Sequence[Message]) -> MessageSummary:
        """See the port."""
        self._calls["summary"].inc()
        return self._messages.summary(messages)

    def redacted(self, message: Message, keep_bytes: int = 120) -> Mapping[str, object]:
        """See the port."""
        self._calls["redacted"].inc()
        return self._messages.redacted(message, keep_bytes)

    def encode(self, value: object) -> bytes:
        """See the port."""
        self._calls["encode"].inc()
        encoded = self._messages.encode(value)
        self._encoded.inc(len(encoded))
        return encoded

    def cut(self, result: str, bound_bytes: int) -> Cut:
        """See the port."""
        self._calls["cut"].inc()
        made = self._messages.cut(result, bound_bytes)
        self._dropped.inc(made.dropped_bytes)
        return made


def build_lean(switches: Switchboard, meters: Meters) -> LeanMessages:
    """There is nothing to close. One per thread: the encode buffer is reused."""
    return switches.pick(
        "lean",
        optimised=lambda: MeteredMessages(ByReference(), meters, Path.OPTIMISED.value),
        rollback=lambda: MeteredMessages(Cloning(), meters, Path.ROLLBACK.value),
    )
