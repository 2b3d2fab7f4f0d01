"""The one place that chooses a path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evenkeel.hotpath.bounded.capped import CappedMap, StripedLocks
from evenkeel.hotpath.bounded.plain import PlainLocks, PlainMap
from evenkeel.hotpath.bounded.registry import Makers, Registry, build_meter
from evenkeel.hotpath.ports.bounded import BoundedMaps
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.switch import Path, Switchboard


@asynccontextmanager
async def build_bounded(
    switches: Switchboard, meters: Meters, *, every_s: float = 30.0, clock: Clock | None = None
) -> AsyncIterator[BoundedMaps]:
    """A registry with a janitor that looks `every_s` seconds."""
    time = clock or SystemClock()

    def capped() -> Registry:
        makers = Makers(lambda rules: CappedMap(rules, time), StripedLocks)
        return Registry(makers, time, build_meter(meters, Path.OPTIMISED.value))

    def plain() -> Registry:
        makers = Makers(lambda _rules: PlainMap(), lambda _stripes: PlainLocks())
        return Registry(makers, time, build_meter(meters, Path.ROLLBACK.value))

    registry = switches.pick("bounded", optimised=capped, rollback=plain)
    async with background(registry.janitor(every_s), "evenkeel-bounded-janitor"):
        yield registry
