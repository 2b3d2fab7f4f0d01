"""Rollback path: dicts that grow with every key, and a lock for each key that was ever seen."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class PlainMap(dict[K, V], Generic[K, V]):
    """A dict. Capacity and time to live are ignored."""

    evicted = 0

    def expire(self) -> list[tuple[K, V]]:
        """Nothing ever goes."""
        return []


class PlainLocks:
    """A lock a key, for ever."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, key: str) -> AbstractAsyncContextManager[object]:
        """See the port."""
        return self._locks.setdefault(key, asyncio.Lock())

    @property
    def size(self) -> int:
        """How many locks there are."""
        return len(self._locks)
