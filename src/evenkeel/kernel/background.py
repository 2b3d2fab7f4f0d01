"""Background work with an owner: it starts when a part opens and is gone when the part has closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def background(work: Coroutine[object, object, None], name: str) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` beside the body; cancel it when the body ends.

    Work that fails on its own is reported to the loop's exception handler at once, and raised when the body ends.
    """
    task = begun(work, name)
    try:
        yield task
    finally:
        await stopped(task)


def begun(work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
    """Work whose end its owner waits for. If it fails before, the loop's exception handler is told at once."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_report)
    return task


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for it; raises what it failed with."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": f"Background work {task.get_name()} failed.", "exception": error, "task": task}
        )
