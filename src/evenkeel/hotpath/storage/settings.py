"""What a storage is opened with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from evenkeel.hotpath.ports.storage import Bounds
from evenkeel.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class JanitorRules:
    """What the background clean-up removes by age, and how often it looks (seconds). 0 = never remove.

    `rows` bounds one round, so no clean-up holds a lock for long.
    """

    every_s: float = 30.0
    events_s: float = 3_600.0
    finished_tasks_s: float = 7 * 86_400.0
    sent_messages_s: float = 7 * 86_400.0
    rows: int = 5_000


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """`dsn` is `sqlite:///path/to/file.db` or `postgresql://user@host:port/database`.

    Both: `queue_bound` units of work may wait, each at most `queue_wait_s`; closing waits `close_s` for what was
    accepted; calls slower than `slow_s` are counted. `task_ageing_s` = how long a task of the next lower priority
    waits longer. `clock` None = the database's clock.

    SQLite: `readers` threads read; `commit_batch` units share one commit at most; `synchronous` "full" survives a
    power cut, "normal" a crash of the process only; `max_pages` caps the file (0 = no cap).

    PostgreSQL: `connections` at most; `pgbouncer` = there is a transaction-mode pooler in between, so no prepared
    statements are kept; then `listen_dsn` must lead to the server directly for wake-ups to arrive. Wake-ups of
    `coalesce_s` travel together.
    """

    dsn: str
    migrate: bool = True
    queue_bound: int = 10_000
    queue_wait_s: float = 5.0
    close_s: float = 10.0
    slow_s: float = 0.25
    task_ageing_s: float = 60.0
    clock: Clock | None = None
    bounds: Bounds = field(default_factory=Bounds)
    janitor: JanitorRules | None = field(default_factory=JanitorRules)
    readers: int = 2
    commit_batch: int = 256
    synchronous: Literal["full", "normal"] = "full"
    max_pages: int = 0
    connections: int = 8
    call_timeout_s: float = 30.0
    pgbouncer: bool = False
    listen_dsn: str = ""
    coalesce_s: float = 0.01
    hop_threads: int = 8

    def now(self) -> float | None:
        """The time to hand to a statement; None = it asks the database."""
        return None if self.clock is None else self.clock.wall_s()
