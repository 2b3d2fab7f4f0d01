"""Bounded maps and locks: nothing global grows without a name and a cap."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)  # no slots: `MapRules[str, int](...)` could not be called on Python 3.11
class MapRules(Generic[K, V]):
    """`name` is unique in the process. Over `capacity` the least recently used entry goes; after `ttl_s` (None =
    never) an entry counts as gone. `on_evict` hears of entries that were dropped for lack of room or of age.
    """

    name: str
    capacity: int
    ttl_s: float | None = None
    on_evict: Callable[[K, V], None] | None = None


@dataclass(frozen=True, slots=True)
class MapUsage:
    """One line of the report; `approx_bytes` is a sample's estimate."""

    name: str
    entries: int
    capacity: int
    evicted: int
    approx_bytes: int


class LockTable(Protocol):
    """Locks by key: a fixed number of stripes, or locks that vanish with their last holder. Two keys may share a
    lock.
    """

    def of(self, key: str) -> AbstractAsyncContextManager[object]:
        """The lock of this key; hold it with `async with`."""
        ...


class BoundedMaps(Protocol):
    """The registry: open with `async with`; a janitor drops what has aged, and the largest maps are reported."""

    def map(self, rules: MapRules[K, V]) -> MutableMapping[K, V]:
        """A map with a cap. Raises `InternalError` for a name in use."""
        ...

    def locks(self, name: str, *, stripes: int = 256) -> LockTable:
        """A lock table with a cap."""
        ...

    def report(self, largest: int = 10) -> list[MapUsage]:
        """The largest maps, by entries; also as metrics."""
        ...
