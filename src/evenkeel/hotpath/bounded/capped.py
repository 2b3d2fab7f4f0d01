"""Optimised path: maps with a capacity and a time to live, locks in a fixed number of stripes."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import cachetools

from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.kernel.clock import Clock

K = TypeVar("K")
V = TypeVar("V")


class CappedMap(cachetools.TLRUCache[K, V], Generic[K, V]):
    """`cachetools.TLRUCache` that tells about what it drops; reading counts as use, not as age."""

    def __init__(self, rules: MapRules[K, V], clock: Clock) -> None:
        forever = float("inf")
        ttl_s = forever if rules.ttl_s is None else rules.ttl_s
        super().__init__(rules.capacity, lambda _key, _value, now: now + ttl_s, timer=clock.monotonic_s)
        self._on_evict = rules.on_evict
        self.evicted = 0

    def popitem(self) -> tuple[K, V]:
        """Drop the least recently used entry: called when there is no room."""
        key, value = super().popitem()
        self._dropped(key, value)
        return key, value

    def expire(self, time: float | None = None) -> list[tuple[K, V]]:
        """Drop what has aged; also called by every write."""
        gone: list[tuple[K, V]] = super().expire(time)
        for key, value in gone:
            self._dropped(key, value)
        return gone

    def _dropped(self, key: K, value: V) -> None:
        self.evicted += 1
        if self._on_evict is not None:
            self._on_evict(key, value)


class StripedLocks:
    """A fixed number of locks: two keys may share one, which costs a wait and never a fault. Hold one at a time: a task
    that takes a second key while it holds the first may meet its own stripe.
    """

    def __init__(self, stripes: int) -> None:
        self._locks = tuple(asyncio.Lock() for _ in range(stripes))

    def of(self, key: str) -> AbstractAsyncContextManager[object]:
        """See the port. The stripe is the same in every process (`hash` of a text is not)."""
        return self._locks[zlib.crc32(key.encode("utf-8", "surrogatepass")) % len(self._locks)]

    @property
    def size(self) -> int:
        """How many locks there are."""
        return len(self._locks)
