"""A million sessions opened and closed: what is left of them in the process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

from tests.sessions import Census, census, parts, sessions
from tests.storages import Place
from tools.parts.cases import CENSUS, OURS, Case, Figures

AT_ONCE = 200
KEPT = 5_000
"""The cap of what is kept per session: rings, entries of a map."""


async def left(dsn: str, count: int) -> Figures:
    """Opens and closes `count` sessions and counts at every tenth. Growth is counted from the second tenth on: by then
    every cap is reached. SQLite syncs no commit here; that changes the time, not what is kept.
    """
    place, tenth = Place(dsn, OURS), count // 10
    seen: list[Census] = []
    started = time.perf_counter()
    async with parts(place, rings=KEPT, capacity=KEPT, synchronous="normal") as here:
        for number in range(10):
            await sessions(here, number * tenth, tenth, at_once=AT_ONCE)
            seen.append(await census(here))
            print(f"{(number + 1) * tenth:,} sessions: {asdict(seen[-1])}", flush=True)
    grown = seen[-1].minus(seen[1])
    later = count - 2 * tenth
    return {
        "sessions": float(count),
        "tasks more": float(grown.tasks),
        "threads more": float(grown.threads),
        "descriptors more": float(grown.descriptors),
        "map entries more": float(grown.entries),
        "objects a session": grown.objects / later,
        "bytes a session": grown.resident_bytes / later,
        "MiB at the end": seen[-1].resident_bytes / 2**20,
        "minutes": (time.perf_counter() - started) / 60,
    }


def cases(count: int) -> Iterator[Case]:
    """Once is enough: it counts, it does not time."""
    yield Case("census", CENSUS, "sqlite", OURS, partial(left, count=count), every=1_000)
