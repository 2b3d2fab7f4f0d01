"""Think: one model round. Ask, stream what comes, try again when it fails, and never show a text twice."""

from __future__ import annotations

import random
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evenkeel.serve.agent.conversation import Conversation
from evenkeel.serve.agent.kit import Scene
from evenkeel.serve.agent.models.calls import ModelCall, ModelFailedError, Piece, Reply, ToolCall
from evenkeel.serve.agent.toolcalltext import ToolText
from evenkeel.serve.ports.runs import Usage
from evenkeel.serve.ports.spans import Attributes, SpanKind

ANSWER_CHARS = 300_000
"""What is read of one answer: more would not fit into an event."""


@dataclass(slots=True)
class Thought:
    """What came of a round. Times in seconds; `first_s` None = nothing came."""

    content: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    first_s: float | None = None
    last_s: float = 0.0


class Splice:
    """Text that was shown before a try broke off is not shown again: as long as the new try says the same, only what
    goes beyond is shown. If it says something else, that is a new model round, whose text replaces the old one.
    """

    __slots__ = ("_left", "differs", "said")

    def __init__(self, shown: str) -> None:
        self._left = shown
        self.said = ""
        self.differs = False

    def more(self, text: str) -> str:
        """What is to be shown of this text."""
        self.said += text
        if not self._left:
            return text
        same = min(len(self._left), len(text))
        if self._left[:same] == text[:same]:
            self._left = self._left[same:]
            return text[same:]
        return self._begin_anew()

    def end(self) -> str:
        """The try is over. It may have said less than the one before."""
        return self._begin_anew() if self._left else ""

    def _begin_anew(self) -> str:
        self.differs, self._left = True, ""
        return self.said


async def think(scene: Scene, conversation: Conversation, shown: str = "") -> Thought:
    """One round. `shown` = what watchers have of its text already, from a process that died over it.

    Raises `ModelFailedError` when all tries failed.
    """
    settings, voice = scene.model.settings, scene.voice
    for number in range(settings.retries + 1):
        splice = Splice(shown)
        try:
            with scene.kit.parts.spans.span(f"chat {scene.model.name}", _asked(scene), SpanKind.CLIENT) as span:
                thought = await _tried(scene, conversation, splice, quiet=bool(number) or bool(shown))
                span.tell(_answered(thought))
                return thought
        except ModelFailedError as error:
            if error.timed_out:
                scene.kit.meter.timed_out("model")
            if not error.passing or number == settings.retries:
                raise
            delay_s = max(error.retry_after_s, settings.retry_s * 2**number * random.uniform(0.8, 1.2))  # noqa: S311
            await voice.retrying(number + 1, settings.retries, delay_s)
            scene.kit.meter.retried()
            await scene.kit.parts.clock.sleep(delay_s)
            scene.away_s += delay_s
            shown = splice.said if splice.differs or len(splice.said) > len(shown) else shown
    raise AssertionError  # the last try either answers or raises


def _asked(scene: Scene) -> Attributes:
    settings = scene.model.settings
    asked: dict[str, str | int | float | bool] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": settings.provider,
        "gen_ai.request.model": scene.model.name,
        "gen_ai.request.temperature": settings.temperature,
        "gen_ai.conversation.id": scene.place.session_id,
    }
    if settings.max_tokens is not None:
        asked["gen_ai.request.max_tokens"] = settings.max_tokens
    if settings.base_url:
        asked["server.address"] = urlsplit(settings.base_url).hostname or ""
    return asked


def _answered(thought: Thought) -> Attributes:
    return {
        "gen_ai.usage.input_tokens": thought.usage.input_tokens,
        "gen_ai.usage.output_tokens": thought.usage.output_tokens,
        "gen_ai.output.type": "text",
        "evenkeel.tool_calls": len(thought.calls),
    }


async def _tried(scene: Scene, conversation: Conversation, splice: Splice, *, quiet: bool) -> Thought:
    """One try. `quiet`: reasoning that was shown before is not shown again; the round's output has it whole."""
    thought, reply = Thought(), Reply()
    filtered = ToolText() if scene.tools.tools and not scene.functions else None
    call = ModelCall(conversation.messages, scene.tools.specs)
    now = scene.kit.parts.clock.monotonic_s
    started = waiting = now()
    async with aclosing(scene.model.stream(call, reply)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            thought.last_s = now()
            scene.away_s += thought.last_s - waiting
            if thought.first_s is None:
                thought.first_s = thought.last_s
            await _heard(scene, thought, splice, piece, filtered, quiet=quiet)
            if len(splice.said) + len(thought.reasoning) > ANSWER_CHARS:
                break
            waiting = now()
    scene.away_s += max(0.0, now() - max(waiting, thought.last_s))
    rest = (splice.more(filtered.rest()) if filtered else "") + splice.end()
    if rest:
        await _show(scene, splice, rest, "")
    thought.content = splice.said
    thought.calls = reply.tool_calls if filtered is None else [*filtered.calls, *reply.tool_calls]
    thought.usage = reply.usage or Usage()
    if thought.first_s is not None:
        thought.first_s -= started
        thought.last_s -= started
    scene.kit.meter.asked(now() - started, thought.first_s, thought.usage)
    return thought


async def _heard(
    scene: Scene, thought: Thought, splice: Splice, piece: Piece, filtered: ToolText | None, *, quiet: bool
) -> None:
    text, reasoning = piece.text, piece.reasoning
    if "\0" in text or "\0" in reasoning:  # no database keeps it
        text, reasoning = text.replace("\0", "\ufffd"), reasoning.replace("\0", "\ufffd")
    if filtered is not None:
        text = filtered.shown(text)
    if text:
        text = splice.more(text)
    if reasoning:
        thought.reasoning += reasoning
        reasoning = "" if quiet else reasoning
    if text or reasoning:
        await _show(scene, splice, text, reasoning)


async def _show(scene: Scene, splice: Splice, text: str, reasoning: str) -> None:
    if splice.differs:
        splice.differs = False
        scene.voice.model_round += 1
        await scene.voice.asking()
    await scene.voice.delta(text, reasoning)
