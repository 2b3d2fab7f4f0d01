"""All tools of the server, and the ones of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evenkeel.serve.agent.models.calls import ToolSpec, function_name
from evenkeel.serve.agent.tools.kinds import Tool
from evenkeel.serve.ports.requests import NO_TOOLS

Remote = Callable[[], Awaitable[Sequence[Tool]]]
"""The tools of MCP servers that can be called now."""


@dataclass(frozen=True, slots=True)
class RunTools:
    """What one run may call."""

    tools: tuple[Tool, ...]
    by_name: Mapping[str, Tool]

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told."""
        return tuple(tool.spec for tool in self.tools)

    def find(self, name: str) -> Tool | None:
        """By any of a tool's names."""
        return self.by_name.get(name.strip())


NONE = RunTools((), {})


@dataclass(frozen=True, slots=True)
class Toolbox:
    """`built_in` are there always; what is remote is asked for by run."""

    built_in: tuple[Tool, ...]
    remote: Remote

    async def chosen(self, names: Sequence[str], default: Sequence[str], *, skip: bool) -> RunTools:
        """`names` () = the default set, and that () = all; `NO_TOOLS` or `skip` = none. Unknown names are left out: a
        call of one is an error result for the model.
        """
        wanted = tuple(names) or tuple(default)
        if skip or NO_TOOLS in wanted:
            return NONE
        tools = [*self.built_in, *await self.remote()]
        if wanted:
            known = _by_name(tools)
            found = {tool.name: tool for name in wanted if (tool := known.get(name.strip())) is not None}
            tools = list(found.values())
        return RunTools(tuple(tools), _by_name(tools))


def _by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    return {name: tool for tool in tools for name in (tool.name, function_name(tool.name), *tool.aliases)}
