"""What a limiter is built with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError

SPARE = 8
"""An instance that must ask for more asks for an eighth of the limit beyond its need, so that it rarely must ask."""


@dataclass(frozen=True, slots=True)
class LimiterRules:
    """At most `max_active` sessions at work over all instances that share a database and a `pool`.

    `lease_s`: how long after a kill a session, and an instance's share, stay taken; both are renewed every third of it.
    At most `waiting` callers wait for a slot here; over it `admit` refuses at once. `retry_s` to `retry_max_s`: pauses
    between tries for a session, or a share, that another instance has; each is spread at random by half. `poll_s` is
    the rollback path's pause. `instance` names this process.
    """

    max_active: int = 30
    pool: str = "sessions"
    lease_s: float = 30.0
    waiting: int = 10_000
    retry_s: float = 0.02
    retry_max_s: float = 0.2
    poll_s: float = 0.2
    instance: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        if self.max_active < 1 or self.lease_s <= 0:
            raise ConfigurationError(
                f"limiter.max_active is {self.max_active}, limiter.lease_s {self.lease_s:g}.",
                hint="Allow at least one session, and leases of some seconds.",
            )

    def wanted(self, needed: int) -> int:
        """How many slots to ask for when so many are needed."""
        return min(self.max_active, needed + max(1, self.max_active // SPARE))
