"""MCP servers, if there are any: the SDK is an extra, and loading it takes half a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.agent.settings import McpServerSettings
from evenkeel.serve.agent.tools.kinds import Tool
from evenkeel.serve.agent.tools.toolbox import Remote


async def _none() -> tuple[Tool, ...]:
    return ()


@asynccontextmanager
async def remote_tools(settings: Mapping[str, McpServerSettings], clock: Clock) -> AsyncIterator[Remote]:
    """See `mcp.mcp_tools`. Raises `ConfigurationError` when servers are named and the SDK is not installed."""
    if not settings:
        yield _none
        return
    try:
        room = await asyncio.to_thread(import_module, "evenkeel.serve.agent.tools.mcp")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"agent.mcp names servers, and {error.name} is not installed.", hint="pip install 'evenkeel[mcp]'"
        ) from None
    async with room.mcp_tools(settings, clock) as tools:
        yield tools
