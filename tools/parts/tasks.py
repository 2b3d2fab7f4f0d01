"""The task queue beside PgQueuer and Procrastinate: draining a backlog, and starting what was just enqueued."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from evenkeel.hotpath.ports.task_queue import QueueRules
from tools.parts.cases import BATCHES, DRAIN, OURS, PROCRASTINATE, START, Case, Figures, part
from tools.parts.queues import Delays, Drain, evenkeel, pgqueuer, procrastinate

FAST = QueueRules(max_workers=100, claim_batch=200, prefetch=400)
"""Batches and concurrency that were tried for throughput, as for the others."""


async def drained(dsn: str, drain: Drain, jobs: int) -> Figures:
    """Jobs a second, from the first claim until the last outcome is stored."""
    return {"jobs/s": jobs / await drain(dsn, jobs)}


async def started(dsn: str, delays: Delays, count: int) -> Figures:
    """One job at a time to an idle worker, from enqueue until its handler runs."""
    seconds = await delays(dsn, count)
    return {"p50 ms": part(seconds, 0.5) * 1e3, "p99 ms": part(seconds, 0.99) * 1e3}


def competitors_installed() -> bool:
    """They are no dependency of evenkeel: `make bench-parts` puts them beside it."""
    return all(find_spec(name) is not None for name in ("pgqueuer", "procrastinate", "psycopg"))


def cases() -> Iterator[Case]:
    """Slow contenders get fewer jobs; what counts is the rate."""
    drain, delays = evenkeel(OURS, FAST)
    old_drain, old_delays = evenkeel("rollback", FAST)
    for database in ("postgres", "sqlite"):
        yield Case("tasks", DRAIN, database, OURS, partial(drained, drain=drain, jobs=10_000))
        yield Case("tasks", START, database, OURS, partial(started, delays=delays, count=100))
    yield Case("tasks", DRAIN, "postgres", "rollback", partial(drained, drain=old_drain, jobs=100), every=5)
    yield Case("tasks", START, "postgres", "rollback", partial(started, delays=old_delays, count=5), every=5)
    across = evenkeel(OURS, FAST, across=True)[1]
    yield Case("tasks", f"{START}, in another instance", "postgres", OURS, partial(started, delays=across, count=100))
    if competitors_installed():
        yield from _others()


def _others() -> Iterator[Case]:
    for name, batch in zip(BATCHES, (100, 200), strict=True):
        drain, delays = pgqueuer(batch)
        yield Case("tasks", DRAIN, "postgres", name, partial(drained, drain=drain, jobs=10_000))
        yield Case("tasks", START, "postgres", name, partial(started, delays=delays, count=100))
    drain, delays = procrastinate()
    yield Case("tasks", DRAIN, "postgres", PROCRASTINATE, partial(drained, drain=drain, jobs=400), every=2)
    yield Case("tasks", START, "postgres", PROCRASTINATE, partial(started, delays=delays, count=100), every=2)
