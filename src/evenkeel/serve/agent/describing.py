"""What a run would be given, without running it: for those who want to see it."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.serve.agent.kit import Kit
from evenkeel.serve.agent.prompt import system_prompt
from evenkeel.serve.ports.requests import RunRequest


async def tools_of(kit: Kit) -> Sequence[tuple[str, str]]:
    """Names and descriptions of everything that can be called."""
    found = await kit.toolbox.chosen((), (), skip=False)
    return [(spec.name, spec.description) for spec in found.specs]


async def instructions(kit: Kit, request: RunRequest) -> str:
    """The system prompt of a run of this request."""
    settings = kit.settings
    tools = await kit.toolbox.chosen(request.tool_names, settings.tools.default, skip=request.skip_tool_calls)
    language = request.language or settings.language
    return system_prompt(settings.prompt, request.agent_prompt, language, tools.specs, as_text=True)
