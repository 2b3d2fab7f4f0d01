"""Documentation servers that speak as the real ones do: their tools, their texts, their failures that look like success.

Each is an MCP server in this process. What it was called with is in `calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.server.mcpserver import MCPServer

from evenkeel.audit.research.answers import Cache
from evenkeel.audit.research.mcp import McpProvider, Opened, Opening, Target

TODAY = "2026-02-04"

LIBRARIES = """Available Libraries (top matches):

Each result includes:
- Library ID: Context7-compatible identifier (format: /org/project)

----------

- Title: SQLModel
- Context7-compatible library ID: /fastapi/sqlmodel
- Description: Built on SQLAlchemy
----------
- Title: SQLAlchemy
- Context7-compatible library ID: /sqlalchemy/sqlalchemy
- Description: The database toolkit
- Code Snippets: 2830
"""
DOCUMENTS = """### Session Basics

Source: https://docs.sqlalchemy.org/en/20/orm/session_basics.html

One session per request; it is *one* transaction at a time.

```python
with Session(engine) as session:
    ...
```

--------------------------------

### Session API

Source: https://docs.sqlalchemy.org/en/20/orm/session_api.html

Expires on commit.
"""
OLD_DOCUMENTS = """TITLE: Opening a session
DESCRIPTION: One session per request.

SOURCE: https://docs.sqlalchemy.org/en/20/orm/session_basics.html

LANGUAGE: Python
CODE:
```
with Session(engine) as session: ...
```

----------------------------------------

TITLE: Without a source
CODE:
```
pass
```
"""
SNIPPETS = "overview: Session basics. How a session lives.\nurl: https://docs.sqlalchemy.org/x\nmoduleId: sqlalchemy"


@dataclass
class Calls:
    """What a server was asked, and what it is to answer in place of what it knows."""

    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failure: str = ""

    def answer(self, tool: str, arguments: dict[str, Any], text: str) -> str:
        self.seen.append((tool, arguments))
        return self.failure or text

    def of(self, tool: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.seen if name == tool]


def first_generation(calls: Calls) -> MCPServer:
    """Context7 up to 1.0.20: a lookup by name, and tokens."""
    server = MCPServer("Context7")

    @server.tool(name="resolve-library-id", structured_output=False)
    def resolve(libraryName: str) -> str:  # noqa: N803 - as the real tool calls it
        return calls.answer("lookup", {"libraryName": libraryName}, LIBRARIES)

    @server.tool(name="get-library-docs", structured_output=False)
    def documents(context7CompatibleLibraryID: str, topic: str = "", tokens: int = 5000) -> str:  # noqa: N803
        asked = {"id": context7CompatibleLibraryID, "topic": topic, "tokens": tokens}
        return calls.answer("documents", asked, OLD_DOCUMENTS)

    return server


def second_generation(calls: Calls) -> MCPServer:
    """Context7 1.0.33: a mode and a page in place of tokens."""
    server = MCPServer("Context7", version="1.0.13")  # it states the version of another release

    @server.tool(name="resolve-library-id", structured_output=False)
    def resolve(libraryName: str) -> str:  # noqa: N803 - as the real tool calls it
        return calls.answer("lookup", {"libraryName": libraryName}, LIBRARIES)

    @server.tool(name="get-library-docs", structured_output=False)
    def documents(context7CompatibleLibraryID: str, mode: str = "code", topic: str = "", page: int = 1) -> str:  # noqa: N803
        asked = {"id": context7CompatibleLibraryID, "mode": mode, "topic": topic, "page": page}
        return calls.answer("documents", asked, DOCUMENTS)

    return server


def third_generation(calls: Calls) -> MCPServer:
    """Context7 from 2.0.0 on: both tools want the whole question."""
    server = MCPServer("Context7")

    @server.tool(name="resolve-library-id", structured_output=False)
    def resolve(query: str, libraryName: str) -> str:  # noqa: N803 - as the real tool calls it
        return calls.answer("lookup", {"query": query, "libraryName": libraryName}, LIBRARIES)

    @server.tool(name="query-docs", structured_output=False)
    def documents(libraryId: str, query: str) -> str:  # noqa: N803
        return calls.answer("documents", {"libraryId": libraryId, "query": query}, DOCUMENTS)

    return server


def ref(calls: Calls) -> MCPServer:
    """Ref: one search, and a reader that is not needed."""
    server = MCPServer("Ref")

    @server.tool(name="ref_read_url", structured_output=False)
    def read(url: str) -> str:
        return calls.answer("read", {"url": url}, "")

    @server.tool(name="ref_search_documentation", structured_output=False)
    def search(query: str) -> str:
        return calls.answer("documents", {"query": query}, SNIPPETS)

    return server


def calculator(calls: Calls) -> MCPServer:
    """A server that knows no documentation."""
    server = MCPServer("Abacus")

    @server.tool()
    def add(a: int, b: int) -> int:
        return a + b

    return server


def within(server: MCPServer) -> Opening:
    """A way to a server in this process."""

    @contextmanager
    def opening() -> Iterator[Opened]:
        yield lambda: Client(server)

    return opening


def provider(
    make: Callable[[Calls], MCPServer],
    calls: Calls,
    cache: Path | None = None,
    day: str = TODAY,
    name: str = "context7",
) -> McpProvider:
    """A provider behind a server in this process; with a folder, answers are kept for thirty days."""
    target = Target(name, f"{name} in process", within(make(calls)), "https://context7.com")
    return McpProvider(target, day, 10.0, Cache(cache, day, 30) if cache else None)
