"""The registry: knows every map and lock table by name, ages them, and reports the largest."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from prometheus_client import Gauge

from evenkeel.hotpath.ports.bounded import LockTable, MapRules, MapUsage
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import ConfigurationError, InternalError
from evenkeel.kernel.metrics import Meters

LOG = logging.getLogger(__name__)
K = TypeVar("K")
V = TypeVar("V")
SAMPLED = 20
DEPTH = 3


class SizedLocks(LockTable, Protocol):
    """A lock table that says how large it is."""

    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Makers:
    """How one path makes maps and locks."""

    map: Callable[[MapRules[Any, Any]], Any]
    locks: Callable[[int], SizedLocks]


@dataclass(frozen=True, slots=True)
class BoundedMeter:
    """The metrics of one registry; the label is the map's name, of which the code holds a fixed number."""

    path: str
    entries: Gauge
    capacity: Gauge
    evicted: Gauge
    size: Gauge

    def show(self, usage: MapUsage) -> None:
        """One map's line."""
        self.entries.labels(self.path, usage.name).set(usage.entries)
        self.capacity.labels(self.path, usage.name).set(usage.capacity)
        self.evicted.labels(self.path, usage.name).set(usage.evicted)
        self.size.labels(self.path, usage.name).set(usage.approx_bytes)


def build_meter(meters: Meters, path: str) -> BoundedMeter:
    """The metrics of a registry on this path."""
    return BoundedMeter(
        path,
        entries=meters.gauge("bounded", "entries", "items", "Entries of a map, or locks of a table.", ["map"]),
        capacity=meters.gauge("bounded", "capacity", "items", "The most it may hold.", ["map"]),
        evicted=meters.gauge("bounded", "evicted", "items", "Entries dropped since the start.", ["map"]),
        size=meters.gauge("bounded", "approx", "bytes", "Estimated from a sample of entries.", ["map"]),
    )


class Registry:
    """`BoundedMaps`. One per process or test, handed to whoever makes a map; nothing is global."""

    def __init__(self, makers: Makers, clock: Clock, meter: BoundedMeter) -> None:
        self._makers = makers
        self._clock = clock
        self._meter = meter
        self._maps: dict[str, tuple[int, Any]] = {}  # bounded by the names in the code
        self._tables: dict[str, tuple[int, SizedLocks]] = {}

    def map(self, rules: MapRules[K, V]) -> MutableMapping[K, V]:
        """See the port."""
        if rules.capacity < 1 or (rules.ttl_s is not None and rules.ttl_s <= 0):
            raise ConfigurationError(
                f"The map {rules.name!r} could hold nothing.", hint="capacity >= 1; ttl_s > 0, or None for no end."
            )
        self._must_be_new(rules.name)
        made: MutableMapping[K, V] = self._makers.map(rules)
        self._maps[rules.name] = (rules.capacity, made)
        return made

    def locks(self, name: str, *, stripes: int = 256) -> LockTable:
        """See the port."""
        if stripes < 1:
            raise ConfigurationError(f"The lock table {name!r} has no locks.", hint="stripes must be at least 1.")
        self._must_be_new(name)
        table = self._makers.locks(stripes)
        self._tables[name] = (stripes, table)
        return table

    def report(self, largest: int = 10) -> list[MapUsage]:
        """See the port."""
        lines = [
            MapUsage(name, len(each), capacity, each.evicted, approx_bytes(each))
            for name, (capacity, each) in self._maps.items()
        ]
        lines += [
            MapUsage(name, table.size, stripes, 0, table.size * sys.getsizeof(asyncio.Lock()))
            for name, (stripes, table) in self._tables.items()
        ]
        for line in lines:
            self._meter.show(line)
        return sorted(lines, key=lambda line: (-line.entries, line.name))[:largest]

    async def janitor(self, every_s: float) -> None:
        """Until cancelled: drop what has aged, so that also a map that nobody writes to gives its memory back."""
        while True:
            await self._clock.sleep(every_s)
            self.round()

    def round(self) -> None:
        """Each map once. A listener that raises costs only its own entry's news."""
        for name, (_, each) in self._maps.items():
            try:
                each.expire()
            except Exception:
                LOG.exception("A listener of the map %s failed.", name)
        lines = self.report(5)
        LOG.debug("largest maps: %s", ", ".join(f"{line.name}={line.entries}" for line in lines))

    def _must_be_new(self, name: str) -> None:
        if name in self._maps or name in self._tables:
            raise InternalError(f"A map named {name!r} exists.", hint="Names are unique: choose another.")


def approx_bytes(mapping: MutableMapping[Any, Any]) -> int:
    """The container, and its entries as large as the average of the first few. Shared objects count each time."""
    sample = list(itertools.islice(mapping.items(), SAMPLED))
    if not sample:
        return sys.getsizeof(mapping)
    average = sum(_size(key, DEPTH) + _size(value, DEPTH) for key, value in sample) / len(sample)
    return sys.getsizeof(mapping) + int(average * len(mapping))


def _size(value: object, depth: int) -> int:
    """A value with the first elements of what it holds, a few levels deep."""
    own = sys.getsizeof(value)
    if depth == 0:
        return own
    if isinstance(value, dict):
        inner: list[object] = [part for pair in itertools.islice(value.items(), SAMPLED) for part in pair]
        count = 2 * len(value)
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner, count = list(itertools.islice(value, SAMPLED)), len(value)
    else:
        inner, count = list(getattr(value, "__dict__", {}).values()), 0
        count = len(inner)
    if not inner:
        return own
    return own + int(sum(_size(each, depth - 1) for each in inner) / len(inner) * count)
