"""When requests leave: planned before the run from a seed, whatever the server does (an open loop)."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator

Shape = Callable[[float], float]  # second of the run -> part of the full rate, 0 to 1


def steady(ramp_s: float = 0.0) -> Shape:
    """The full rate, after a straight ramp."""
    return lambda second: 1.0 if second >= ramp_s else second / ramp_s


def bursts(every_s: float, part: float, quiet: float = 0.5) -> Shape:
    """The full rate for a `part` of each period, `quiet` of it otherwise."""
    return lambda second: 1.0 if second % every_s < part * every_s else quiet


def waves(period_s: float, low: float = 0.3) -> Shape:
    """A sine between `low` and the full rate, as a day has it."""
    return lambda second: low + (1 - low) * (1 - math.cos(2 * math.pi * second / period_s)) / 2


def after_a_peak(shape: Shape, until_s: float, times: float) -> Shape:
    """The shape, with `times` as many arrivals until then as later. Plan `times` the rate with it: a part is at most 1."""
    return lambda second: shape(second) / (1.0 if second < until_s else times)


def arrivals(rate: float, seconds: float, seed: int, shape: Shape | None = None) -> Iterator[float]:
    """Seconds after the start, as independent users come: exponential gaps, thinned to the shape."""
    chance = random.Random(seed)  # noqa: S311 - a load, not secrets
    at = 0.0
    while rate > 0:
        at += chance.expovariate(rate)
        if at >= seconds:
            return
        if shape is None or chance.random() < shape(at):
            yield at


async def release(
    plan: Iterator[float],
    leave: Callable[[int, float], Awaitable[object] | None],
    *,
    late: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[asyncio.Task[object]]:
    """Call `leave(number, due)` at each planned time, without waiting for what it starts. The tasks that it started.

    `late` is told how many seconds after its time each one left."""
    start = clock()
    started: list[asyncio.Task[object]] = []
    for number, at in enumerate(plan):
        due = start + at
        wait = due - clock()
        if wait > 0:
            await asyncio.sleep(wait)
        late(max(0.0, clock() - due))
        work = leave(number, due)
        if work is not None:
            started.append(asyncio.ensure_future(work))
    return started
