"""Databases that live in the process: a statement is a function call there, and no way over a network.

What a loop of statements costs elsewhere is the way, once per element. SQLite's own documentation says so: many small
queries are efficient in it (https://www.sqlite.org/np1queryprob.html). What stays dear is a commit per element, which
waits for the disk, and a hop to another thread per element.
"""

from __future__ import annotations

from evenkeel.audit.model.view import CallView, Reach

DRIVERS = frozenset({"sqlite3", "apsw", "duckdb"})  # not aiosqlite: each of its calls hops to a thread and back


def is_in_process(call: CallView, reach: Reach) -> bool:
    """Whether a call gets to a database in this process without leaving its thread, and without a commit of its own."""
    if call.fact.awaited or call.link.mode or any(target.is_async for target in call.targets):
        return False
    return driver_of(call, reach) in DRIVERS and not call.reaches("commit", "connect")


def driver_of(call: CallView, reach: Reach) -> str:
    """The package of the library call that a way to the database ends in; "" when that cannot be told."""
    if reach.direct:
        return call.library.partition(".")[0]
    last = reach.path[-1]
    module = call.function.module.neighbour(last.file)
    function = module.named(last.function) if module is not None else None
    calls = function.calls if function is not None else ()
    there = (each for each in calls if each.line == last.line and each.library)
    return next(
        (each.library.partition(".")[0] for each in there if any(_of_database(e.kind) for e in each.effects)), ""
    )


def _of_database(kind: str) -> bool:
    return kind.startswith("db-") or kind in {"commit", "begin", "connect"}
