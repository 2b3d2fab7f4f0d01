"""The values that pass between the rooms: what a scenario promises, and what one run of one arm gave."""

from __future__ import annotations

from enum import StrEnum

import msgspec

OPTIMISED = "optimised"
ROLLBACK = "rollback"
AGAINST = "against"  # another server, given by its address


class Better(StrEnum):
    """Which way is good."""

    LOWER = "lower"
    HIGHER = "higher"


class Figure(msgspec.Struct, frozen=True):
    """A number that a scenario gives each run.

    `floor` and `aim` are ratios of the optimised arm to the other one; `limit` is a bound on the optimised arm's own value,
    in `unit`. `margin` is the relative difference that nobody would care about.
    """

    key: str
    title: str
    unit: str
    better: Better = Better.LOWER
    floor: float | None = None
    aim: float | None = None
    limit: float | None = None
    margin: float = 0.05


class Check(msgspec.Struct, frozen=True):
    """Something that is counted and must be `allowed` or less in every run of the arm under test, e.g. lost events."""

    key: str
    title: str
    allowed: int = 0
    both_arms: bool = False  # also promised for the other arm


class Mark(msgspec.Struct, frozen=True):
    """Something that happened during a run, `at` seconds after its start: a kill, a reconnect storm."""

    at: float
    what: str


class Saturation(msgspec.Struct, frozen=True):
    """How busy the instrument itself was. `void` says why the run must not be used, or is empty."""

    loop_lag_p99_s: float
    loop_lag_max_s: float
    cpu_share: float  # of one core, the process of the clients
    model_lag_p99_s: float  # the simulator's lateness
    model_cpu_share: float
    late_starts: float  # part of the arrivals that left more than 50 ms late
    void: str = ""


class Observation(msgspec.Struct, frozen=True):
    """One run of one arm. `values` by figure key; a figure that could not be measured is absent."""

    arm: str
    order: int  # place in the whole session of runs
    pair: int
    phase: str  # "A/A" or "A/B"
    seed: int
    seconds: float
    values: dict[str, float]
    counts: dict[str, int] = {}
    histograms: dict[str, str] = {}  # HDR, base64 of the V2 compressed form, in microseconds
    series: dict[str, list[tuple[float, float]]] = {}  # (seconds since the start, value)
    marks: list[Mark] = []
    saturation: Saturation | None = None
    notes: list[str] = []

    @property
    def void(self) -> str:
        """Why this run must not be used; empty when it may."""
        return self.saturation.void if self.saturation else ""


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its confidence interval, from `count` values. Of one value it is that value: `count` says so."""

    estimate: float
    low: float
    high: float
    count: int
    confidence: float = 0.95
