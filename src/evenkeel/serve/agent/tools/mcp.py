"""Tools of MCP servers, as `server@tool`. Needs the extra `mcp`.

Each server has one connection, kept by a task of its own: it connects when the agent opens, lists the tools, and waits. A
server that fails is left alone for a while and is connected again when a run wants tools. No turn waits for a server that
is not there; a call has a deadline, and what goes wrong is an error result for the model.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Implementation, TextContent
from mcp_types import Tool as ListedTool

from evenkeel import __version__
from evenkeel.kernel.background import stopped
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.agent.models.calls import ToolSpec
from evenkeel.serve.agent.settings import McpServerSettings
from evenkeel.serve.agent.tools.kinds import Place, Tool, ToolProblemError, ToolResult
from evenkeel.serve.agent.tools.toolbox import Remote

LOG = logging.getLogger(__name__)
NAMED = Implementation(name="evenkeel", version=__version__)
FIRST_S = 1.0
"""How long a run waits for a server that has just begun to connect."""
PROBE_S = 5.0
TOOLS = 200
"""Tools of one server at most; the rest are not offered."""
DESCRIPTION_CHARS = 1_000

OpenClient = Callable[[McpServerSettings], AbstractAsyncContextManager[Client]]


class McpServer:
    """One server. `run` belongs to a task of its own, which enters and leaves the connection."""

    def __init__(self, name: str, settings: McpServerSettings, clock: Clock, open_client: OpenClient) -> None:
        self._name, self._settings, self._clock = name, settings, clock
        self._open_client = open_client
        self._client: Client | None = None
        self._tools: tuple[Tool, ...] = ()
        self._gate = asyncio.Semaphore(settings.calls)
        self._tried = asyncio.Event()  # the connection stands, or has failed for now
        self._wanted = asyncio.Event()
        self._doubted = asyncio.Event()
        self._reason = "it is not connected yet"

    async def run(self) -> None:
        """Until cancelled: connect, stay, and after a failure rest until someone wants the tools."""
        while True:
            self._wanted.clear()
            try:
                await self._stay()
            except Exception as error:  # whatever a server or the SDK does, turns go on without it
                self._reason = _said(error)
                LOG.warning("MCP server %s is not to be had: %s", self._name, self._reason)
            self._client, self._tools = None, ()
            self._tried.set()
            await self._clock.sleep(self._settings.rest_s)
            await self._wanted.wait()

    async def tools(self) -> tuple[Tool, ...]:
        """What can be called now. Waits a moment for a first connection, never for one that has failed."""
        self._wanted.set()
        if not self._tried.is_set():
            try:
                async with asyncio.timeout(FIRST_S):
                    await self._tried.wait()
            except TimeoutError:
                return ()
        return self._tools

    async def _stay(self) -> None:
        """Connected, until the connection is doubted and does not answer."""
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._settings.connect_s):
                client = await stack.enter_async_context(self._open_client(self._settings))
                listed = await _listed(client)
            self._client, self._tools = client, tuple(self._tool(each) for each in listed)
            self._tried.set()
            while True:
                await self._doubted.wait()
                self._doubted.clear()
                async with asyncio.timeout(PROBE_S):
                    await client.list_tools(cache_mode="bypass")

    def _tool(self, listed: ListedTool) -> Tool:
        async def call(arguments: Mapping[str, Any], _: Place) -> ToolResult:
            return await self._call(listed.name, arguments)

        description = (listed.description or listed.title or "")[:DESCRIPTION_CHARS]
        spec = ToolSpec(f"{self._name}@{listed.name}", description, listed.input_schema)
        return Tool(spec, call, timeout_s=self._settings.call_s)

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        client = self._client
        if client is None:
            raise ToolProblemError(f"The MCP server {self._name} is not connected: {self._reason}.")
        try:
            async with self._gate:
                return _result(await client.call_tool(name, dict(arguments)))
        except MCPError as error:
            self._doubted.set()
            return ToolResult({}, f"{self._name}: {error}")
        except BaseException:
            self._doubted.set()  # cancelled by its deadline, or a broken connection: see whether it still answers
            raise


async def _listed(client: Client) -> list[ListedTool]:
    """All pages, up to the bound."""
    found: list[ListedTool] = []
    cursor: str | None = None
    while len(found) < TOOLS:
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return found[:TOOLS]


def _result(result: CallToolResult) -> ToolResult:
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    others = len(result.content) - len(texts)
    text = "\n".join(texts)
    if result.is_error:
        return ToolResult({}, text or "The tool failed without a word.")
    data: dict[str, Any] = (
        {"text": text} if result.structured_content is None else {"result": result.structured_content}
    )
    if others:
        data["omitted_parts"] = others
    return ToolResult(data)


@asynccontextmanager
async def connected(settings: McpServerSettings) -> AsyncIterator[Client]:
    """A client over standard input and output, or over HTTP."""
    if settings.command:
        given = StdioServerParameters(command=settings.command, args=list(settings.args), env=settings.env or None)
        async with Client(given, client_info=NAMED, read_timeout_seconds=settings.call_s) as client:
            yield client
        return
    timeout = httpx2.Timeout(settings.call_s, connect=settings.connect_s)
    async with (
        httpx2.AsyncClient(headers=settings.headers, timeout=timeout, trust_env=False) as http,
        Client(
            streamable_http_client(settings.url, http_client=http),
            client_info=NAMED,
            read_timeout_seconds=settings.call_s,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def mcp_tools(
    settings: Mapping[str, McpServerSettings], clock: Clock, open_client: OpenClient = connected
) -> AsyncIterator[Remote]:
    """The tools of all servers, as a run asks for them. Raises `ConfigurationError` for a server without an address."""
    servers = [McpServer(name, one, clock, open_client) for name, one in _checked(settings)]
    keeping = [asyncio.get_running_loop().create_task(server.run(), name="evenkeel-agent-mcp") for server in servers]

    async def tools() -> Sequence[Tool]:
        found = await asyncio.gather(*(server.tools() for server in servers))
        return [tool for each in found for tool in each]

    try:
        yield tools
    finally:
        await asyncio.gather(*(stopped(task) for task in keeping), return_exceptions=True)


def _checked(settings: Mapping[str, McpServerSettings]) -> list[tuple[str, McpServerSettings]]:
    for name, one in settings.items():
        if bool(one.command) == bool(one.url) or "@" in name or not name:
            raise ConfigurationError(
                f"agent.mcp.{name}: a server has either a command or a url, and a name without `@`.",
                hint="Set one of the two.",
            )
    return [(name, one) for name, one in settings.items() if one.enabled]


def _said(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return f"{type(error).__name__}: {error}"[:300]
