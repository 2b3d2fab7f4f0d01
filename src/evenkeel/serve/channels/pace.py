"""How many messages a second an account may send."""

from __future__ import annotations

from evenkeel.hotpath.ports.bounded import BoundedMaps, MapRules
from evenkeel.kernel.clock import Clock

ACCOUNTS = 10_000


class Pace:
    """Generic cell rate: one time per account tells all. A second's worth may come at once."""

    def __init__(self, maps: BoundedMaps, clock: Clock) -> None:
        self._free_at = maps.map(MapRules[str, float]("channel-pace", ACCOUNTS, 3600.0))
        self._clock = clock

    def allows(self, account: str, per_s: float) -> bool:
        """Count a message, unless it is one too many; `per_s` 0 = no bound."""
        if per_s <= 0:
            return True
        now = self._clock.monotonic_s()
        free_at = max(now, self._free_at.get(account, now))
        if free_at - now > max(0.0, 1.0 - 1.0 / per_s):
            return False
        self._free_at[account] = free_at + 1.0 / per_s
        return True
