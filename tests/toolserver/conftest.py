"""A small backend, and a server for it as a client starts one."""

from __future__ import annotations

from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

from tests.cli.conftest import backend, environment, evenkeel

__all__ = ["backend", "environment", "evenkeel"]


def text_of(result: CallToolResult) -> str:
    """The text of a result."""
    return "\n".join(each.text for each in result.content if each.type == "text")


def stdio(python: str, arguments: list[str], environment: dict[str, str], folder: Path) -> Client:
    """A client that starts the server as its child."""
    return Client(StdioServerParameters(command=python, args=arguments, env=environment, cwd=folder))
