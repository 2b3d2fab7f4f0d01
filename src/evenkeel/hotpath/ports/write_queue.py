"""The bounded write queue: records that need not be stored before the request goes on.

A full queue never makes the caller write. What happens instead is named: `DROP_LATEST` refuses the new record,
`DROP_OLDEST` drops the oldest droppable one, `BLOCK_WITH_TIMEOUT` waits and then refuses. Critical records go first,
and are never dropped silently: for them `put` waits or raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Generic, Protocol, TypeVar

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)

Sink = Callable[[Sequence[R]], Awaitable[None]]
"""Stores a batch. Raising `UnavailableError` means "keep and try again"; any other error gives the batch up,
counted.
"""


class Overflow(Enum):
    """What a full queue does."""

    DROP_LATEST = "drop_latest"
    DROP_OLDEST = "drop_oldest"
    BLOCK_WITH_TIMEOUT = "block_with_timeout"


class Priority(IntEnum):
    """Lower goes first; order within a priority is kept. CRITICAL is never dropped."""

    CRITICAL = 0
    NORMAL = 1
    LOW = 2


class Put(Enum):
    """What became of a record."""

    QUEUED = "queued"
    DROPPED = "dropped"
    """This record was refused (counted by priority)."""
    DISPLACED = "displaced"
    """Queued; an older one of the same or a lower priority was dropped for it (counted)."""


@dataclass(frozen=True, slots=True)
class QueueRules(Generic[R]):
    """`capacity` records in all, of which `reserved` for CRITICAL alone; a batch leaves at `batch_rows` or `batch_s`.

    Above `high_water` (0 to 1 of capacity) the alert gauge is 1 until the level is under `low_water`.
    """

    name: str
    sink: Sink[R]
    capacity: int = 10_000
    reserved: int = 1_000
    batch_rows: int = 200
    batch_s: float = 0.05
    overflow: Overflow = Overflow.DROP_OLDEST
    timeout_s: float = 1.0
    high_water: float = 0.8
    low_water: float = 0.5


@dataclass(frozen=True, slots=True)
class QueueLevel:
    """Records waiting by priority, dropped so far, and the age of the oldest in seconds."""

    waiting: dict[Priority, int]
    dropped: int
    oldest_s: float
    alert: bool


class WriteQueue(Protocol[R_contra]):
    """Open with `async with`; closing writes what waits, up to a deadline, and reports how many were left."""

    async def put(self, record: R_contra, priority: Priority = Priority.NORMAL) -> Put:
        """Queue a record. Waits only under `BLOCK_WITH_TIMEOUT`, or for a CRITICAL record.

        Raises `QueueFullError` when a CRITICAL record found no room within `timeout_s`: the caller must know.
        """
        ...

    async def flush(self) -> None:
        """The barrier: everything queued so far went to the sink, or was given up and counted."""
        ...

    def level(self) -> QueueLevel:
        """How full it is."""
        ...
