"""Every choice between an optimised and a rollback path, in one table.

A leaf: rooms read it, it reads no room. A switch's name is the key under `switches.` in the settings, its row in
`/health`, and (except `overflow`, which lives in `writes`) the name of the room it belongs to. Rows written on one
path are read on the other, so turning a switch never needs a data migration.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from evenkeel.kernel.switch import Path, Switch, Switchboard, board

_REVIEW = dt.date(2027, 6, 1)

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "storage",
        optimised="group commit on one writer thread (SQLite), native async client (PostgreSQL)",
        rollback="a thread hop and a transaction per call",
        scenario="S1",
        promise="P95 of server-side overhead at least 30 % lower at 300 concurrent streams",
        review=_REVIEW,
        found_by="per-call-offload",
    ),
    Switch(
        "limiter",
        optimised="in-process semaphore, then one upsert; expiry by a janitor",
        rollback="DELETE, COUNT and INSERT per attempt, waiters poll",
        scenario="S1",
        promise="acquire + release at least 1.5 times as fast on PostgreSQL at 16 clients; no COUNT per attempt",
        review=_REVIEW,
        found_by="count-in-hot-path",
    ),
    Switch(
        "events",
        optimised="ring buffer and broadcast in memory, one read per instance and flush",
        rollback="every watcher polls the table",
        scenario="S2",
        promise="database reads of live watchers at least 60 % lower; none while idle",
        review=_REVIEW,
        found_by="db-poll-loop",
    ),
    Switch(
        "writes",
        optimised="batches by size and by time, in buckets by session",
        rollback="one write per event",
        scenario="S2",
        promise="at least 40,000 events/s on PostgreSQL and 80,000 on SQLite on two cores",
        review=_REVIEW,
        found_by="per-event-write",
    ),
    Switch(
        "overflow",
        optimised="a named policy when the queue is full; critical records first",
        rollback="the caller writes synchronously when the queue is full",
        scenario="S2",
        promise="a full queue never makes a request write to the database itself",
        review=_REVIEW,
        found_by="sync-fallback-on-full-queue",
    ),
    Switch(
        "tasks",
        optimised="claimed in batches, woken by notification, fenced by attempt",
        rollback="poll, read what is pending, spawn it all",
        scenario="S3",
        promise="10,000 tasks: none executed twice, at least 1.5 times PgQueuer's rate",
        review=_REVIEW,
        found_by="unclaimed-queue-read",
    ),
    Switch(
        "outbox",
        optimised="claimed by channel and account, bounded per account, a breaker each",
        rollback="one serial loop over rows that nobody claims",
        scenario="S3",
        promise="one dead account of 100 leaves the P99 of the others unchanged within 5 %",
        review=_REVIEW,
        found_by="unclaimed-queue-read",
    ),
    Switch(
        "cancellation",
        optimised="a token per session, set by an event, carried across instances by notification",
        rollback="a flag polled every 200 ms",
        scenario="S1",
        promise="P99 under 5 ms in the process and 100 ms across",
        review=_REVIEW,
        found_by="cancel-by-polling",
    ),
    Switch(
        "passwords",
        optimised="a bounded pool of its own, limits before hashing",
        rollback="hashed inline on the event loop",
        scenario="S1",
        promise="500 login attempts/s change the P99 of streams by less than 5 %",
        review=_REVIEW,
        found_by="cpu-bound-in-async",
    ),
    Switch(
        "lean",
        optimised="redacted and summarised by reference, buffers reused, tool results cut once",
        rollback="whole messages cloned before they are logged",
        scenario="S1",
        promise="bytes allocated per message do not grow with the length of the conversation",
        review=_REVIEW,
        found_by="redundant-copy",
    ),
    Switch(
        "bounded",
        optimised="maps with a capacity and a time to live, each registered by name",
        rollback="plain dicts",
        scenario="S4",
        promise="a million sessions opened and closed leave no growth",
        review=_REVIEW,
        found_by="unbounded-map",
    ),
)


def read_switches(profile: str = "optimised", settings: Mapping[str, str | int] | None = None) -> Switchboard:
    """The switchboard of a process: `profile` for all, `settings` (name -> path or percentage) for some.

    Raises `ConfigurationError` for an unknown profile, an unknown switch, or a value that means no path.
    """
    return board(SWITCHES, profile, settings or {})


def rendered(switchboard: Switchboard) -> dict[str, object]:
    """What `/health` shows: the profile, and per switch the chosen path, the percentage and what each path does."""
    return {
        "profile": switchboard.profile,
        "switches": {
            name: {
                "path": choice.path.value if choice.path else "split",
                "optimised_percent": choice.percent,
                "does": choice.switch.rollback if choice.path is Path.ROLLBACK else choice.switch.optimised,
                "scenario": choice.switch.scenario,
                "review": choice.switch.review.isoformat(),
            }
            for name, choice in switchboard.choices.items()
        },
    }
