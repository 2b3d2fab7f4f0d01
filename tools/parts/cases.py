"""What is measured: a case is one contender in one contest; and the goals that the figures are held against."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

Figures = dict[str, float]
"""By unit. A unit that ends in "/s" is a rate, larger is better; of all others smaller is better."""
Measure = Callable[[str], Coroutine[None, None, Figures]]
"""DSN of an empty database -> figures."""

OURS = "optimised"


def part(values: Sequence[float], share: float) -> float:
    """The quantile: `share` of the values are smaller."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@dataclass(frozen=True, slots=True)
class Case:
    """`room` and `contest` name what is measured, `contender` who; it takes part in every `every`th round."""

    room: str
    contest: str
    database: str
    contender: str
    measure: Measure
    every: int = 1


@dataclass(frozen=True, slots=True)
class Goal:
    """Where our figure should stand: itself, or how many times better it is than `against` in the same round.

    `floor` must hold, `aim` is wanted. For ratios and rates they are lower bounds, for all else upper ones.
    """

    room: str
    contest: str
    database: str
    unit: str
    floor: float
    aim: float
    against: str = ""

    @property
    def more_is_better(self) -> bool:
        """Whether floor and aim are lower bounds."""
        return bool(self.against) or self.unit.endswith("/s")


DRAIN, START = "10,000 no-op jobs", "from enqueue to start"
ROW, JOINED = "one row an event", "deltas of 20 bytes, joined"
ADMIT, SLOT = "16 clients admit and release", "a slot in the process"
HERE, ACROSS = "in one process", "from another instance"
FAN_OUT = "100 messages to 500 readers"
ISOLATED, SENDS = "one account of 100 is dead", "2,000 messages to 100 accounts"
FLOOD = "a stream under 500 logins a second"
CENSUS = "sessions opened and closed"
BATCHES = ("PgQueuer, batches of 100", "PgQueuer, batches of 200")
PROCRASTINATE = "Procrastinate"

GOALS = (
    *(Goal("tasks", DRAIN, "postgres", "jobs/s", 1.5, 3.0, each) for each in BATCHES),
    Goal("tasks", DRAIN, "postgres", "jobs/s", 10.0, 40.0, PROCRASTINATE),
    Goal("tasks", START, "postgres", "p50 ms", 10.0, 3.0),
    Goal("writer", ROW, "postgres", "events/s", 40_000, 80_000),
    Goal("writer", ROW, "sqlite", "events/s", 80_000, 150_000),
    Goal("limiter", ADMIT, "postgres", "admissions/s", 1.5, 2.5, "rollback"),
    Goal("limiter", SLOT, "none", "us a grant", 20.0, 5.0),
    Goal("cancellation", HERE, "postgres", "p99 ms", 5.0, 1.0),
    Goal("cancellation", ACROSS, "postgres", "p99 ms", 100.0, 30.0),
    Goal("fan-out", FAN_OUT, "sqlite", "CPU s", 1.0, 0.6),
    Goal("outbox", ISOLATED, "postgres", "p99, dead / alive", 1.05, 1.0),
    Goal("outbox", ISOLATED, "sqlite", "p99, dead / alive", 1.05, 1.0),
    Goal("logins", FLOOD, "none", "p99, flood / calm", 1.05, 1.0),
    Goal("census", CENSUS, "sqlite", "objects a session", 0.01, 0.0),
    Goal("census", CENSUS, "sqlite", "bytes a session", 16.0, 0.0),
)
