"""An MCP server over standard input and output, or over HTTP, made with the SDK's own server. Run as a program by the tests."""

from __future__ import annotations

import os
import sys
import time

from mcp.server.mcpserver import MCPServer

server = MCPServer("little")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail(why: str) -> str:
    """Fails."""
    raise ValueError(why)


@server.tool()
def hang() -> str:
    """Takes far too long."""
    time.sleep(3_600)
    return "never"


@server.tool()
def die() -> str:
    """Ends the process."""
    os._exit(3)


@server.tool()
def pid() -> int:
    """Which process."""
    return os.getpid()


if __name__ == "__main__":
    if "--slow" in sys.argv:
        time.sleep(3_600)
    if "--http" in sys.argv:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[sys.argv.index("--http") + 1]))
    else:
        server.run("stdio")
