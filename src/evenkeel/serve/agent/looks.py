"""Looks that come together are one look: thousands of watchers that reconnect at once cost a few reads, not thousands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
Look = Callable[[Sequence[str]], Awaitable[dict[str, T]]]
AT_ONCE = 500


@dataclass(eq=False)
class _Batch(Generic[T]):
    """What is asked next, and who waits for it."""

    names: dict[str, None] = field(default_factory=dict)
    answer: asyncio.Future[dict[str, T]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Looks(Generic[T]):
    """While one look is under way, the next gathers. Every look begins after it was asked for, so it is never stale."""

    def __init__(self, look: Look[T]) -> None:
        self._look = look
        self._next: _Batch[T] | None = None
        self._work: asyncio.Task[None] | None = None

    async def of(self, names: Sequence[str]) -> dict[str, T]:
        """The answers for these names. Raises what the look raises."""
        batch = self._next
        if batch is None or len(batch.names) + len(names) > AT_ONCE:
            if batch is not None:
                return await self._look(names)  # full: a crowd this large gains nothing from waiting
            batch = self._next = _Batch()
        batch.names.update(dict.fromkeys(names))
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._run(), name="evenkeel-agent-looks")
        try:
            answer = await asyncio.shield(batch.answer)
        except Exception:
            if len(batch.names) == len(names):
                raise
            return await self._look(names)  # one name that cannot be looked for harms nobody else
        return {name: answer[name] for name in names}

    async def _run(self) -> None:
        try:
            while (batch := self._next) is not None:
                await asyncio.sleep(0)  # whoever is ready on this turn of the loop comes along
                self._next = None
                await self._answer(batch)
        finally:
            self._work = None

    async def _answer(self, batch: _Batch[T]) -> None:
        try:
            found = await self._look(tuple(batch.names))
        except asyncio.CancelledError:
            batch.answer.cancel()
            raise
        except Exception as error:
            batch.answer.set_exception(error)
            batch.answer.exception()  # each who waits looks alone; nobody may be waiting any more
        else:
            batch.answer.set_result(found)
