"""The wire of `/chat/completions`: bytes to pieces, with bounds. Pure; no IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evenkeel.serve.agent.models.calls import ModelFailedError, Piece, Reply, ToolCall
from evenkeel.serve.ports.runs import Usage

LINE_BYTES = 1024 * 1024
CALLS = 64
"""Tool calls of one answer at most; what is beyond is left out."""
ARGUMENT_CHARS = 1024 * 1024


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Lines:
    """Lines of an event stream out of whatever pieces the network delivers; a line over the bound is an error."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def fed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends."""
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_BYTES:
            raise ModelFailedError(f"The model sent a line of more than {LINE_BYTES} bytes.", passing=False)
        return lines

    def rest(self) -> list[bytes]:
        """What came after the last line's end."""
        return [self._rest] if self._rest else []


class Answer:
    """Puts an answer together. `done` = the stream said that it is over."""

    __slots__ = ("_calls", "done", "reply")

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.done = False
        self._calls: dict[int, list[str]] = {}  # index -> id, name, arguments; bounded by CALLS

    def take(self, lines: Sequence[bytes]) -> Piece | None:
        """Everything that these lines say, as one piece; None if they say nothing new."""
        text, reasoning = [], []
        for line in lines:
            if not line.startswith(b"data:"):
                continue  # a comment, another field, or the end of an event
            data = line[5:].strip()
            if data == b"[DONE]":
                self.done = True
                continue
            for delta in self._deltas(data):
                if delta.content:
                    text.append(delta.content)
                if thought := delta.reasoning_content or delta.reasoning:
                    reasoning.append(thought)
        if not text and not reasoning:
            return None
        return Piece("".join(text), "".join(reasoning))

    def whole(self, body: bytes) -> Piece:
        """An answer that was not streamed."""
        deltas = list(self._deltas(body))
        return Piece(
            "".join(delta.content or "" for delta in deltas),
            "".join(delta.reasoning_content or delta.reasoning or "" for delta in deltas),
        )

    def finish(self) -> None:
        """The stream is over: its tool calls are complete."""
        for number, (call_id, name, arguments) in sorted(self._calls.items()):
            self.reply.tool_calls.append(read_call(call_id or f"call_{number}", name, arguments))

    def _deltas(self, data: bytes) -> Iterator[_Delta]:
        try:
            chunk = _CHUNK.decode(data)
        except msgspec.DecodeError as error:
            raise ModelFailedError(f"The model sent what is no chunk of an answer: {error}.", passing=True) from None
        if chunk.error is not None:
            raise ModelFailedError(f"The model broke off: {str(chunk.error)[:300]}", passing=True)
        if chunk.usage is not None:
            self.reply.usage = _usage(chunk.usage)
        for choice in (chunk.choices or ())[:1]:
            delta = choice.delta or choice.message
            if delta is not None:
                for call in delta.tool_calls or ():
                    self._add(call)
                yield delta

    def _add(self, call: _Call) -> None:
        index = call.index if call.index is not None else self._index_of(call)
        if index not in self._calls and len(self._calls) >= CALLS:
            return
        held = self._calls.setdefault(index, ["", "", ""])
        held[0] = held[0] or call.id or ""
        if call.function is not None:
            held[1] = held[1] or call.function.name or ""
            held[2] += call.function.arguments or ""
            if len(held[2]) > ARGUMENT_CHARS:
                raise ModelFailedError("The model sent a tool call of more than a million characters.", passing=False)

    def _index_of(self, call: _Call) -> int:
        """Some endpoints leave the index out: an id begins a call, no id continues the last."""
        return len(self._calls) if call.id or not self._calls else len(self._calls) - 1


def _usage(usage: _Usage) -> Usage:
    asked, answered = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return Usage(asked, answered, usage.total_tokens or asked + answered)


def read_call(call_id: str, name: str, arguments: str | Mapping[str, Any]) -> ToolCall:
    """Arguments as a mapping, or the reason why they are none."""
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError as error:
            return ToolCall(call_id, name, {}, f"The arguments are not valid JSON: {error}.")
    if not isinstance(arguments, Mapping):
        return ToolCall(call_id, name, {}, "The arguments must be a JSON object.")
    return ToolCall(call_id, name, arguments)
