"""A turn: think and act until there is an answer. What is said on the way is `narration`; how a turn comes to be, and
what becomes of it when it is stopped, is `worker`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evenkeel.kernel.errors import NotFoundError
from evenkeel.serve.agent.acting import Done, act, called_silently
from evenkeel.serve.agent.conversation import ANSWER_TOKENS, Conversation, built
from evenkeel.serve.agent.failures import quota_exceeded
from evenkeel.serve.agent.history import CallRow, Meta, Row
from evenkeel.serve.agent.kit import Scene
from evenkeel.serve.agent.models.calls import ModelCall, ToolCall
from evenkeel.serve.agent.prompt import system_prompt
from evenkeel.serve.agent.thinking import Thought, think
from evenkeel.serve.agent.tools.kinds import Tool
from evenkeel.serve.ports.runs import Usage


@dataclass(slots=True)
class Ending:
    """How a turn ends well. `usage` is that of the last model call, `total` of all."""

    answer: str
    stop_reason: str
    usage: Usage
    total: Usage = field(default_factory=Usage)
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """What stands when the first model round is asked for: nothing but the user's message, or what a process left that
    died over this turn. `unanswered` = calls of the last round that have no results yet.
    """

    rows: tuple[Row, ...]
    shown: str = ""
    unanswered: tuple[ToolCall, ...] = ()
    spent: Usage = field(default_factory=Usage)


async def take_turn(scene: Scene, begun: Begun) -> Ending:
    """Rounds of think and act, until there is an answer to tell. Raises what ends the turn badly."""
    conversation = _conversation(scene, begun.rows)
    total, shown = begun.spent, begun.shown
    ending: Ending | None = None
    if begun.unanswered:
        ending = await _acted(scene, conversation, Thought(calls=list(begun.unanswered)))
    while ending is None:
        thought = await _round(scene, conversation, shown)
        shown, total = "", added(total, thought.usage)
        ending = await _ended(scene, thought) or await _acted(scene, conversation, thought)
        if ending is None and scene.voice.model_round >= scene.model.settings.max_rounds:
            ending = Ending(thought.content, "max_rounds", thought.usage)
    ending.total = total
    return ending


async def _round(scene: Scene, conversation: Conversation, shown: str) -> Thought:
    """One model round, from `context_usage` to `token_usage`."""
    voice = scene.voice
    voice.model_round += not shown  # the text of a round that goes on keeps its number
    await voice.context(conversation.tokens, len(conversation.messages))
    await voice.asking()
    await _consume_quota(scene)
    await voice.request(_request(scene, conversation))
    thought = await think(scene, conversation, shown)
    _name(thought.calls, voice.model_round)
    first = thought.first_s
    await voice.output(
        thought.content,
        thought.reasoning,
        thought.usage,
        thought.calls,
        prefill_s=None if first is None else round(first, 4),
        decode_s=None if first is None else round(thought.last_s - first, 4),
    )
    return thought


async def _ended(scene: Scene, thought: Thought) -> Ending | None:
    """The model gave its answer: it called nothing, or a tool that ends the turn without a word."""
    if not thought.calls:
        await _keep_answer(scene, thought.content, thought.reasoning)
        return Ending(thought.content, "model_response", thought.usage)
    for call in thought.calls:
        tool = scene.tools.find(call.name)
        if tool is not None and tool.silent and not call.problem:
            return await _ended_by(scene, thought, call, tool)
    return None


async def _ended_by(scene: Scene, thought: Thought, call: ToolCall, tool: Tool) -> Ending | None:
    result = await called_silently(scene, call, tool)
    if result.error or not isinstance(result.data, Mapping):
        return None  # then it is a call like any other, and the model hears what was wrong with it
    answer = str(result.data.get("answer") or thought.content)
    await _keep_answer(scene, answer, thought.reasoning)
    extra = {name: value for name, value in result.data.items() if name in {"a2ui", "uid"} and value}
    return Ending(answer, tool.ends, thought.usage, extra=extra)


async def _acted(scene: Scene, conversation: Conversation, thought: Thought) -> Ending | None:
    """The tools' turn: what was called is kept, then what came of it."""
    mr = scene.voice.model_round
    meta = Meta(scene.history.run, scene.user_round, mr)
    called = scene.history.row(
        "assistant",
        thought.content,
        meta,
        reasoning_content=thought.reasoning,
        tool_calls=tuple(CallRow(c.call_id, _canonical(scene, c), dict(c.arguments)) for c in thought.calls),
    )
    await scene.history.add([(f"{mr}.answer", called)])
    done = await act(scene, thought.calls)
    rows = [_result_row(scene, one, meta) for one in done]
    await scene.history.add([(f"{mr}.tool.{number}", row) for number, row in enumerate(rows)])
    conversation.add_rows([called, *rows])
    for one in done:
        if one.tool is not None and one.tool.ends and one.ok:
            return await _waiting(scene, one, thought)
    return None


async def _waiting(scene: Scene, one: Done, thought: Thought) -> Ending:
    """A question to the user ends the turn; the session is idle until the answer comes as its next message."""
    data = one.result.data if isinstance(one.result.data, Mapping) else {}
    answer = thought.content or str(data.get("question", ""))
    assert one.tool is not None  # noqa: S101 the caller looked
    panel = data.get("panel", {})
    await _keep_answer(scene, answer, "", questionPanel=dict(panel), place="question")
    return Ending(answer, one.tool.ends, thought.usage)


async def _keep_answer(scene: Scene, content: str, reasoning: str, *, place: str = "answer", **more: Any) -> None:
    mr = scene.voice.model_round
    meta = Meta(scene.history.run, scene.user_round, mr)
    row = scene.history.row("assistant", content, meta, reasoning_content=reasoning, **more)
    await scene.history.add([(f"{mr}.{place}", row)])


def _result_row(scene: Scene, one: Done, meta: Meta) -> Row:
    return scene.history.row(
        "tool", one.text, meta, tool_call_id=one.call.call_id, name=_canonical(scene, one.call), ok=one.ok
    )


def _canonical(scene: Scene, call: ToolCall) -> str:
    tool = scene.tools.find(call.name)
    return tool.name if tool is not None else call.name


def _name(calls: Sequence[ToolCall], model_round: int) -> None:
    """Ids that are unique in the session's history, also where an endpoint gives none."""
    assert isinstance(calls, list)  # noqa: S101
    seen: set[str] = set()
    for number, call in enumerate(calls):
        if call.call_id in seen or call.call_id == f"call_{number}":
            calls[number] = ToolCall(f"call_{model_round}_{number}", call.name, call.arguments, call.problem)
        seen.add(calls[number].call_id)


def _conversation(scene: Scene, rows: Sequence[Row]) -> Conversation:
    settings, request = scene.settings, scene.request
    system = system_prompt(
        settings.prompt,
        request.agent_prompt,
        request.language or settings.language,
        scene.tools.specs,
        as_text=not scene.functions,
    )
    model = scene.model.settings
    budget = None if request.is_admin else max(256, model.context_tokens - (model.max_tokens or ANSWER_TOKENS))
    return built(system, rows, functions=scene.functions, budget=budget)


async def _consume_quota(scene: Scene) -> None:
    """Once a model call, for users with an account; administrators have none. 0 = no limit, and nothing to say."""
    request = scene.request
    if not request.registered or request.is_admin:
        return
    date = time.strftime("%Y-%m-%d", time.localtime(scene.kit.parts.clock.wall_s()))
    try:
        quota = await scene.kit.parts.storage.users.consume_quota(request.user_id, date)
    except NotFoundError:
        return  # no account, no quota
    if not quota.allowed:
        raise quota_exceeded(quota.limit, quota.used, quota.date)
    if quota.limit > 0:
        await scene.voice.quota(quota.used, quota.limit, quota.date)


def _request(scene: Scene, conversation: Conversation) -> dict[str, Any]:
    model = scene.model
    shown: dict[str, Any] = {
        "provider": model.settings.provider,
        "model": model.name,
        "base_url": model.settings.base_url,
        "stream": model.settings.stream,
    }
    if not scene.request.debug_payload:
        return {**shown, "payload_omitted": True}
    lean, bound = scene.kit.parts.lean, scene.settings.debug_bytes
    payload = model.request(ModelCall(conversation.messages, scene.tools.specs))
    encoded = lean.encode(payload)
    if len(encoded) <= bound:
        return {**shown, "payload": payload}
    return {**shown, "payload": {"truncated_json": lean.cut(encoded.decode(), bound).text}}


def added(one: Usage, other: Usage) -> Usage:
    """The sum."""
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.total_tokens + other.total_tokens,
    )
