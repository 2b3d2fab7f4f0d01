"""Tool calls that the model writes as text: `<tool_call>{"name": …, "arguments": …}</tool_call>`.

`ToolText` takes text as it streams and gives back what may be shown: nothing of a block, nor of what may still turn out
to be the beginning of one. A block that never closes counts as a call if it can be read, else as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from evenkeel.serve.agent.models.calls import ToolCall
from evenkeel.serve.agent.models.wire import CALLS, read_call

OPEN, CLOSE = "<tool_call>", "</tool_call>"
BLOCK_CHARS = 1024 * 1024
"""A longer block is no call: it is shown as text."""


class ToolText:
    """One answer. `calls` grows as blocks close."""

    __slots__ = ("_block", "_held", "calls")

    def __init__(self) -> None:
        self._held = ""  # the beginning of what may become a tag; shorter than the tag
        self._block: str | None = None  # the inside of an open block
        self.calls: list[ToolCall] = []

    def shown(self, text: str) -> str:
        """What of this text, and of what was held back, may be shown now."""
        if self._block is None and not self._held and "<" not in text:
            return text
        out: list[str] = []
        rest = self._held + text
        self._held = ""
        while rest:
            rest = self._outside(rest, out) if self._block is None else self._inside(rest, out)
        return "".join(out)

    def rest(self) -> str:
        """The answer is over: what was held back and is text after all."""
        text, self._held = self._held, ""
        if self._block is None:
            return text
        block, self._block = self._block, None
        found = _calls_in(block, len(self.calls))
        if found and not any(call.problem for call in found):
            self.calls += found
            return ""
        return OPEN + block

    def _outside(self, rest: str, out: list[str]) -> str:
        at = rest.find("<")
        if at < 0:
            out.append(rest)
            return ""
        out.append(rest[:at])
        rest = rest[at:]
        if rest.startswith(OPEN):
            self._block = ""
            return rest[len(OPEN) :]
        if OPEN.startswith(rest):
            self._held = rest
            return ""
        out.append("<")
        return rest[1:]

    def _inside(self, rest: str, out: list[str]) -> str:
        block = (self._block or "") + rest
        at = block.find(CLOSE, max(0, len(block) - len(rest) - len(CLOSE)))
        if at >= 0:
            self._block = None
            self.calls += _calls_in(block[:at], len(self.calls))[: CALLS - len(self.calls)]
            return block[at + len(CLOSE) :]
        self._block = block
        if len(block) > BLOCK_CHARS:
            self._block = None
            out.append(OPEN + block)
        return ""


def _calls_in(block: str, count: int) -> list[ToolCall]:
    """One call, or a list of them. What cannot be read is a call with a problem, so that the model hears of it."""
    try:
        said: Any = msgspec.json.decode(block.strip())
    except msgspec.DecodeError as error:
        return [ToolCall(f"call_{count}", "", {}, f"The tool_call block is not valid JSON: {error}.")]
    entries = said if isinstance(said, list) else [said]
    return [_call(entry, f"call_{count + number}") for number, entry in enumerate(entries)]


def _call(entry: object, call_id: str) -> ToolCall:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return ToolCall(call_id, "", {}, 'A tool_call block must hold {"name": …, "arguments": {…}}.')
    return read_call(call_id, entry["name"], entry.get("arguments", entry.get("parameters")) or {})


def block_of(call: ToolCall) -> str:
    """A call as the model would have written it, for the history."""
    body = msgspec.json.encode({"name": call.name, "arguments": call.arguments}).decode()
    return f"{OPEN}{body}{CLOSE}"
