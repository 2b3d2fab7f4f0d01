"""The system prompt: who the agent is, what it may call and how, in the language of the request. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from evenkeel.serve.agent.models.calls import ToolSpec

ROLE = {
    "en": "You are a helpful agent. Answer in the user's language, briefly and truthfully. "
    "Use tools where they help; do not invent their results.",
    "zh": "你是一个乐于助人的智能体。用用户的语言简洁、如实地回答。需要时使用工具,不要编造工具的结果。",
}
CALLING = {
    "en": 'To call a tool write <tool_call>{"name": "<tool>", "arguments": {…}}</tool_call>, one block a call, and then stop. '
    "The results come back in messages that begin with `tool_response: `. Tools:",
    "zh": '调用工具时写 <tool_call>{"name": "<工具>", "arguments": {…}}</tool_call>,每个调用一个块,然后停止。'
    "结果会以 `tool_response: ` 开头的消息返回。工具:",
}


def language_of(language: str) -> str:
    """`zh` or `en`."""
    return "zh" if language.lower().startswith("zh") else "en"


def system_prompt(base: str, agent_prompt: str, language: str, tools: Sequence[ToolSpec], *, as_text: bool) -> str:
    """`base` replaces the built-in role; `agent_prompt` is added. `as_text` = the tools are told here."""
    tongue = language_of(language)
    parts = [base or ROLE[tongue], agent_prompt.strip()]
    if tools and as_text:
        parts.append("\n".join([CALLING[tongue], *(_told(spec) for spec in tools)]))
    return "\n\n".join(part for part in parts if part)


def _told(spec: ToolSpec) -> str:
    return f"- {spec.name}: {spec.description} Arguments: {msgspec.json.encode(spec.parameters).decode()}"
