"""Tools of real MCP servers: programs that speak over their standard input and output or over HTTP, and what can go wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError

from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.agent.settings import McpServerSettings
from evenkeel.serve.agent.tools.kinds import Place as For
from evenkeel.serve.agent.tools.kinds import Tool, ToolProblemError, ToolResult
from evenkeel.serve.agent.tools.mcp import mcp_tools
from evenkeel.serve.agent.tools.toolbox import Remote
from tests.serve.agent.agents import Script, agent, one, settings_in, until
from tests.serve.agent.test_event_order import block
from tests.serve.processes import free_port
from tests.storages import Place

PROGRAM = str(Path(__file__).parent / "mcp_server.py")
ANN = For("ann", "", "s")


def little(*args: str, **more: Any) -> McpServerSettings:
    return McpServerSettings(command=sys.executable, args=(PROGRAM, *args), rest_s=0.05, **more)


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same server as a process of its own, over HTTP."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, "--http", str(port)), stdout=quiet, stderr=quiet
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def over_http(port: int, **more: Any) -> McpServerSettings:
    return McpServerSettings(url=f"http://127.0.0.1:{port}/mcp", rest_s=0.05, **more)


@asynccontextmanager
async def remote(**servers: McpServerSettings) -> AsyncIterator[Remote]:
    async with mcp_tools(servers, SystemClock()) as tools:
        yield tools


async def found(tools: Remote, name: str) -> Tool:
    """Once its server has come up."""
    while True:
        for tool in await tools():
            if tool.name == name:
                return tool
        await asyncio.sleep(0.05)


async def called(tools: Remote, name: str, **arguments: object) -> ToolResult:
    tool = await found(tools, name)
    return await tool.call(arguments, ANN)


@pytest.mark.blocking_allowed("starting a process")
async def test_a_server_is_connected_once_and_called_often() -> None:
    async with remote(little=little()) as tools:
        assert (await called(tools, "little@add", a=2, b=3)).data == {"result": {"result": 5}}
        pids = {str((await called(tools, "little@pid")).data) for _ in range(3)}
        assert len(pids) == 1
        assert "fail" in (await called(tools, "little@fail", why="no luck")).error
        assert (await called(tools, "little@add", a="x")).error
        assert {str((await called(tools, "little@pid")).data)} == pids


@pytest.mark.blocking_allowed("starting a process")
async def test_a_server_that_dies_is_started_again_when_it_is_wanted() -> None:
    async with remote(little=little()) as tools:
        before = (await called(tools, "little@pid")).data
        tool = await found(tools, "little@die")
        with suppress(MCPError):
            assert (await asyncio.wait_for(tool.call({}, ANN), 10)).error
        after: object = before
        while after == before:
            with suppress(ToolProblemError, MCPError):
                answer = await called(tools, "little@pid")
                after = before if answer.error else answer.data
            await asyncio.sleep(0.05)


@pytest.mark.blocking_allowed("starting a process")
async def test_a_server_over_http_is_called_like_any_other() -> None:
    port = free_port()
    async with listening(port), remote(far=over_http(port)) as tools:
        assert (await called(tools, "far@add", a=2, b=3)).data == {"result": {"result": 5}}
        assert "fail" in (await called(tools, "far@fail", why="no luck")).error
        sums = await asyncio.gather(*(called(tools, "far@add", a=n, b=1) for n in range(20)))
        assert [answer.data for answer in sums] == [{"result": {"result": n + 1}} for n in range(20)]


@pytest.mark.blocking_allowed("starting a process")
async def test_a_server_over_http_that_was_away_is_found_again() -> None:
    """It is started after the agent, killed, and started anew: calls fail meanwhile, and then they do not."""
    port = free_port()
    async with remote(far=over_http(port, connect_s=1.0, call_s=2.0)) as tools:
        assert not await tools()
        for _ in range(2):
            async with listening(port) as process:
                assert (await called(tools, "far@add", a=1, b=1)).data == {"result": {"result": 2}}
                tool = await found(tools, "far@add")
                process.kill()
                await process.wait()
                with suppress(Exception):  # whatever the SDK says of a connection that is gone
                    assert (await asyncio.wait_for(tool.call({"a": 1, "b": 1}, ANN), 10)).error

                async def gone() -> bool:
                    return not await tools()

                await until(gone)


@pytest.mark.blocking_allowed("starting a process")
async def test_no_turn_waits_for_a_server_that_is_not_there(database: Place, tmp_path: Path) -> None:
    """One that hangs while it starts, one that is no program, one that nobody answers for; the fourth works."""
    servers = {
        "slow": little("--slow", connect_s=30.0),
        "missing": McpServerSettings(command="/nowhere/at/all"),
        "silent": McpServerSettings(url="http://127.0.0.1:9/mcp", connect_s=0.5),
        "little": little(),
    }
    script = Script([[block("little@add", '{"a":1,"b":2}'), block("slow@add")], ["ok"]])
    async with agent(database, tmp_path, script, settings=settings_in(tmp_path, mcp=servers)) as mine:
        told = await mine.told("add")
        results = [each.data for each in told if each.kind == "tool_result"]
        assert "There is no tool 'slow@add'" in results[1]["error"]
        assert one(told, "final")["answer"] == "ok"


@pytest.mark.blocking_allowed("starting a process")
async def test_a_call_that_hangs_has_a_deadline(database: Place, tmp_path: Path) -> None:
    script = Script([["wait"], [block("little@hang")], ["ok"]])
    settings = settings_in(tmp_path, mcp={"little": little(call_s=0.3)})
    async with agent(database, tmp_path, script, settings=settings) as mine:
        while True:
            await mine.told("warm up")
            if any(spec.name == "little@hang" for spec in script.calls[-1].tools):
                break
            script.at = 0
        script.at = 1
        told = await mine.told("hang")
        assert one(told, "tool_result")["ok"] is False
        assert one(told, "final")["answer"] == "ok"


@pytest.mark.parametrize("wrong", [McpServerSettings(), McpServerSettings(command="a", url="b")])
async def test_a_server_has_one_address(wrong: McpServerSettings) -> None:
    with pytest.raises(ConfigurationError, match=r"agent\.mcp\.x"):
        async with remote(x=wrong):
            pass
