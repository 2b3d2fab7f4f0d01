"""Barriers over numbered records that may finish in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Barriers:
    """`wait` returns once all of its records are done."""

    def __init__(self) -> None:
        self._open: list[tuple[set[int], asyncio.Future[None]]] = []  # one per caller of wait

    @property
    def awaited(self) -> bool:
        """Someone waits."""
        return bool(self._open)

    async def wait(self, numbers: Iterable[int]) -> None:
        """Until each of these was passed to `done`."""
        entry = (set(numbers), asyncio.get_running_loop().create_future())
        self._open.append(entry)
        try:
            await entry[1]
        finally:
            self._open.remove(entry)

    def done(self, numbers: Iterable[int]) -> None:
        """These records are stored, dropped or given up."""
        if not self._open:
            return
        finished = set(numbers)
        for left, future in self._open:
            left.difference_update(finished)
            if not left and not future.done():
                future.set_result(None)
