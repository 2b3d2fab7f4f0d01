"""The built-in model: answers without a network, always the same to the same question, and calls tools when asked to.

It understands a handful of phrases, in English and Chinese; everything else it answers with what it is and what it
understands. It writes at the rate that its settings name, so that streaming, stopping and resuming can be tried.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from evenkeel.hotpath.ports.messages import Message
from evenkeel.kernel.clock import Clock
from evenkeel.serve.agent.models.calls import ModelCall, Piece, Reply, ToolCall
from evenkeel.serve.agent.models.phrases import answer_to, wanted_call
from evenkeel.serve.agent.settings import ModelSettings
from evenkeel.serve.ports.runs import Usage

_TOKEN = re.compile(r"\s*[^\s\u4e00-\u9fff]+|\s*[\u4e00-\u9fff]{1,2}|\s+")
RESPONSE = "tool_response: "
ROUNDS_OF_RESULTS = 8


class OfflineModel:
    """`Model`."""

    def __init__(self, name: str, settings: ModelSettings, clock: Clock) -> None:
        self._name = settings.model or name
        self._settings = settings
        self._clock = clock

    @property
    def settings(self) -> ModelSettings:
        """See the port."""
        return self._settings

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    def request(self, call: ModelCall) -> Mapping[str, Any]:
        """See the port."""
        return {"model": self._name, "messages": call.messages, "tools": [spec.name for spec in call.tools]}

    async def stream(self, call: ModelCall, reply: Reply) -> AsyncIterator[Piece]:
        """See the port."""
        question, results = _asked(call.messages)
        wanted = None if results else wanted_call(question, call.tools)
        text = answer_to(question, results, self._name)
        if wanted is not None:
            name, arguments = wanted
            text = ""
            if self._settings.tool_call_mode == "function_call":
                reply.tool_calls.append(ToolCall("call_0", name, arguments))
            else:
                block = msgspec.json.encode({"name": name, "arguments": arguments}).decode()
                text = f"<tool_call>{block}</tool_call>"
        tokens = _TOKEN.findall(text)
        await self._clock.sleep(self._settings.first_token_s)
        async for piece in self._paced(tokens):
            yield piece
        asked = sum(len(str(message.get("content") or "")) // 4 + 1 for message in call.messages)
        reply.usage = Usage(asked, len(tokens), asked + len(tokens))

    async def _paced(self, tokens: Sequence[str]) -> AsyncIterator[Piece]:
        """At the rate of the settings; a late wake-up is made good by more tokens at once."""
        rate = self._settings.tokens_per_s
        if rate <= 0:
            for token in tokens:
                yield Piece(token)
            return
        started, sent = self._clock.monotonic_s(), 0
        while sent < len(tokens):
            due = max(sent + 1, min(len(tokens), int((self._clock.monotonic_s() - started) * rate)))
            yield Piece("".join(tokens[sent:due]))
            sent = due
            await self._clock.sleep(started + (sent + 1) / rate - self._clock.monotonic_s())


def _asked(messages: Sequence[Message]) -> tuple[str, list[str]]:
    """The newest question of the user, and what tools have answered since."""
    results: list[str] = []
    for message in reversed(messages):
        role, content = message.get("role"), _text(message.get("content"))
        if role == "tool":
            results.append(content)
        elif role == "user" and content.startswith(RESPONSE):
            results.append(content.removeprefix(RESPONSE))
        elif role == "user":
            return content, results[ROUNDS_OF_RESULTS::-1] if len(results) > ROUNDS_OF_RESULTS else results[::-1]
    return "", results[::-1]


def _text(content: object) -> str:
    if isinstance(content, list):  # parts, as questions with pictures have them
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")
