"""The workspace tools: file work in threads of its own, never on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evenkeel.kernel.clock import Clock
from evenkeel.serve.agent.models.calls import ToolSpec
from evenkeel.serve.agent.settings import WorkspaceSettings
from evenkeel.serve.agent.tools.kinds import Place, Said, Tool, ToolResult, schema, string, text_of
from evenkeel.serve.agent.tools.workspace import Workspace, workspace_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Files:
    """All workspaces. `tree_version` of an update is the time of the change in milliseconds: it rises for ever, also
    through restarts.
    """

    settings: WorkspaceSettings
    threads: ThreadPoolExecutor
    clock: Clock

    async def read(self, arguments: Mapping[str, Any], place: Place) -> ToolResult:
        """`read_file`."""
        path = text_of(arguments, "path", "file")
        return ToolResult({"path": path, "content": await self._run(place, lambda files: files.read(path))})

    async def write(self, arguments: Mapping[str, Any], place: Place) -> ToolResult:
        """`write_file`."""
        path, content = text_of(arguments, "path", "file"), text_of(arguments, "content", "text")
        size = await self._run(place, lambda files: files.write(path, content))
        return self._changed(place, "write_file", {"path": path, "size_bytes": size})

    async def edit(self, arguments: Mapping[str, Any], place: Place) -> ToolResult:
        """`edit_file`."""
        path, old, new = text_of(arguments, "path"), text_of(arguments, "old"), text_of(arguments, "new")
        everywhere = bool(arguments.get("all"))
        count = await self._run(place, lambda files: files.edit(path, old, new, everywhere=everywhere))
        return self._changed(place, "edit_file", {"path": path, "replaced": count})

    async def entries(self, arguments: Mapping[str, Any], place: Place) -> ToolResult:
        """`list_files`."""
        path = text_of(arguments, "path", default="")
        found, more = await self._run(place, lambda files: files.entries(path))
        return ToolResult({"path": path, "entries": found, "more": more})

    async def search(self, arguments: Mapping[str, Any], place: Place) -> ToolResult:
        """`search_files`."""
        query, path = text_of(arguments, "query", "text"), text_of(arguments, "path", default="")
        found, more = await self._run(place, lambda files: files.search(query, path))
        return ToolResult({"query": query, "matches": found, "more": more})

    async def _run(self, place: Place, work: Callable[[Workspace], T]) -> T:
        root = Path(self.settings.root) / workspace_name(place.user_id, place.agent_id)
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, Workspace(root, self.settings))

    def _changed(self, place: Place, tool: str, data: Mapping[str, Any]) -> ToolResult:
        version = int(self.clock.wall_s() * 1000)
        update = {
            "workspace_id": workspace_name(place.user_id, place.agent_id),
            "agent_id": place.agent_id or None,
            "tree_version": version,
            "tool": tool,
            "reason": "tool_result",
        }
        meta = {"workspace_version": version, "workspace_changed": True}
        return ToolResult(data, after=(Said("workspace_update", update),), meta=meta)


@asynccontextmanager
async def workspace_tools(settings: WorkspaceSettings, clock: Clock) -> AsyncIterator[tuple[Tool, ...]]:
    """The five tools; leaving waits for the file work that is under way."""
    if not settings.enabled:
        yield ()
        return
    threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="evenkeel-files")
    try:
        yield _tools(Files(settings, threads, clock))
    finally:
        await asyncio.to_thread(threads.shutdown)


def _tools(files: Files) -> tuple[Tool, ...]:
    path = string("Path in the workspace, such as notes/today.md.")
    return (
        Tool(
            ToolSpec("list_files", "List the files of the workspace.", schema(path=string("Directory; empty = all."))),
            files.entries,
            aliases=("列出文件",),
        ),
        Tool(
            ToolSpec("read_file", "Read a text file.", schema(("path",), path=path)), files.read, aliases=("读取文件",)
        ),
        Tool(
            ToolSpec(
                "write_file",
                "Make or replace a text file.",
                schema(("path", "content"), path=path, content=string("The whole text.")),
            ),
            files.write,
            aliases=("写入文件",),
        ),
        Tool(
            ToolSpec(
                "edit_file",
                "Replace a text in a file; it must stand there exactly once unless `all` is true.",
                schema(
                    ("path", "old", "new"),
                    path=path,
                    old=string("The text to replace."),
                    new=string("What replaces it."),
                    all={"type": "boolean"},
                ),
            ),
            files.edit,
            aliases=("替换文本", "编辑文件"),
        ),
        Tool(
            ToolSpec(
                "search_files",
                "Find lines that hold a text.",
                schema(("query",), query=string("The text."), path=string("Directory; empty = all.")),
            ),
            files.search,
            aliases=("搜索内容", "search_content"),
        ),
    )
