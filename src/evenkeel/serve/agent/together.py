"""Steps of a run's beginning that need not wait for one another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from evenkeel.kernel.errors import EvenkeelError

T = TypeVar("T")


async def all_of(*work: Awaitable[Any]) -> list[Any]:
    """All at once. When one fails, or this is cancelled, what the others opened is closed; the first failure is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await _closed(tasks)
        raise
    if any(task.exception() is not None for task in tasks):
        await _closed(tasks)
    return [task.result() for task in tasks]


async def _closed(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        if not task.cancelled() and task.exception() is None:
            close = getattr(task.result(), "aclose", None) or getattr(task.result(), "close", None)
            if close is not None:
                with suppress(EvenkeelError):
                    await close()


async def to_the_end(work: Awaitable[T]) -> T:
    """Await something that must not be left half done; a cancel that comes meanwhile is passed on afterwards."""
    task, interrupted = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            interrupted = True
    if interrupted:
        if not task.cancelled():
            task.exception()  # looked at: whoever is cancelled hears of nothing else
        raise asyncio.CancelledError
    return task.result()


async def done(value: T) -> T:
    """A value, where work is expected."""
    return value
