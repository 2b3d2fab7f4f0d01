"""What a bus is built with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from evenkeel.hotpath.ports.envelopes import Envelope, JsonEnvelope
from evenkeel.kernel.clock import Clock, SystemClock

Activity = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Which of these sessions have a live run or a queued task. Queued counts as active."""


@dataclass(frozen=True, slots=True)
class BusRules:
    """Bounds and pauses.

    A ring keeps `ring_events` events and `ring_bytes` bytes of a session once they are stored; while they wait to be
    stored, up to `unstored_events` and four times `ring_bytes`. All rings together keep `total_bytes` and `rings` sessions:
    over either the least recently used go, and after `idle_s` without a reader or a new event any: storage has what it
    held, and memory follows the load of the last minute, not of the day. At most `readers` readers at once; over it
    `subscribe` refuses. A delivery carries up to `delivery_events`.

    `sweep_s`: one read per instance for everything it watches, in case a wake-up was lost; `poll_s` instead of it
    while no wake-ups can arrive. `settle_s` to `settle_max_s`: pauses between looks whether a run whose terminal event
    was seen has ended. `polling_s` is the rollback path's pause between reads, per reader.
    """

    ring_events: int = 1_024
    ring_bytes: int = 1024 * 1024
    unstored_events: int = 8_192
    total_bytes: int = 64 * 1024 * 1024
    rings: int = 20_000
    idle_s: float = 60.0
    readers: int = 20_000
    delivery_events: int = 256
    sweep_s: float = 30.0
    poll_s: float = 1.0
    settle_s: float = 0.1
    settle_max_s: float = 1.0
    polling_s: float = 0.08
    envelope: Envelope = field(default_factory=JsonEnvelope)
    clock: Clock = field(default_factory=SystemClock)
