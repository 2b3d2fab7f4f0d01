"""What a model is sent: rows of the history as messages, in the protocol of the model, within its context. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from evenkeel.hotpath.ports.messages import Message
from evenkeel.serve.agent.history import CallRow, Row
from evenkeel.serve.agent.models.calls import ToolCall, function_name
from evenkeel.serve.agent.toolcalltext import block_of

RESPONSE = "tool_response: "
ANSWER_TOKENS = 1_024
"""Room for the answer where the settings name none."""


def tokens_of(text: str) -> int:
    """An estimate: a token is about four bytes of UTF-8, in English as in Chinese; a message costs four more."""
    return (len(text) if text.isascii() else len(text.encode("utf-8", "replace"))) // 4 + 4


@dataclass(slots=True)
class Conversation:
    """The messages of one run, and how many tokens they are. `functions` = the protocol `function_call`."""

    functions: bool
    messages: list[Message] = field(default_factory=list)
    tokens: int = 0

    def add(self, message: Message, tokens: int) -> None:
        """One more at the end."""
        self.messages.append(message)
        self.tokens += tokens

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Rows of the history, in order."""
        for message, tokens in _messages(rows, functions=self.functions):
            self.add(message, tokens)


def built(system: str, rows: Sequence[Row], *, functions: bool, budget: int | None) -> Conversation:
    """The system prompt and as many of the newest turns as fit into `budget` tokens (None = all). The last turn is kept
    whatever it costs; a turn is never cut in the middle.
    """
    conversation = Conversation(functions)
    conversation.add({"role": "system", "content": system}, tokens_of(system))
    turns = _turns(rows)
    kept: list[list[Row]] = []
    left = None if budget is None else budget - conversation.tokens
    for turn in reversed(turns):
        cost = sum(tokens for _, tokens in _messages(turn, functions=functions))
        if left is not None:
            if kept and cost > left:
                break
            left -= cost
        kept.append(turn)
    for turn in reversed(kept):
        conversation.add_rows(turn)
    return conversation


def _turns(rows: Sequence[Row]) -> list[list[Row]]:
    """A turn begins with the user's message; what the window cut off from its question is left out."""
    turns: list[list[Row]] = []
    for row in rows:
        if row.role == "user":
            turns.append([row])
        elif turns:
            turns[-1].append(row)
    return turns


def _messages(rows: Sequence[Row], *, functions: bool) -> Iterator[tuple[Message, int]]:
    answered = {row.tool_call_id for row in rows if row.role == "tool"}
    for row in rows:
        cost = tokens_of(row.content)
        if row.role == "tool":
            yield _tool(row, functions=functions), cost
        elif row.tool_calls:
            calls = [call for call in row.tool_calls if call.id in answered]  # a call without a result is refused
            yield _called(row, calls, functions=functions), cost + sum(tokens_of(str(c.arguments)) for c in calls)
        elif row.parts:
            yield {"role": row.role, "content": list(row.parts)}, cost
        else:
            yield {"role": row.role, "content": row.content}, cost


def _tool(row: Row, *, functions: bool) -> Message:
    if functions:
        return {"role": "tool", "tool_call_id": row.tool_call_id, "content": row.content}
    return {"role": "user", "content": f"{RESPONSE}{row.content}"}


def _called(row: Row, calls: Sequence[CallRow], *, functions: bool) -> Message:
    if functions:
        message: dict[str, Any] = {"role": "assistant", "content": row.content or None}
        if calls:
            message["tool_calls"] = [_function(call) for call in calls]
        else:
            message["content"] = row.content
        return message
    blocks = "".join(block_of(ToolCall(call.id, call.name, call.arguments)) for call in calls)
    return {"role": "assistant", "content": row.content + blocks}


def _function(call: CallRow) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": function_name(call.name), "arguments": arguments}}
