"""Shares of a global limit: how instances split "at most N at once" without counting on every attempt.

Each instance holds a share of the limit for a while and grants from it in memory. The sum of live shares never exceeds
the limit, so check-and-reserve in the process (a semaphore of the size of the share) is check-and-reserve everywhere,
and the limit is exact, also when it is 1. What is approximate is fairness: an instance that needs more waits until
others give back what they do not use, which takes one renewal (about a second) or one wake-up on the channel `shares`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Share:
    """What an instance may have active at once (`granted`), and what all others hold together (`others`).

    `granted + others` is the global count to show: it needs no COUNT. `waiting` = how many more others asked for than
    they got; give back what is idle while it is above 0.
    """

    granted: int
    others: int
    waiting: int


class CapacityShares(Protocol):
    """The table `capacity_shares`; a pool is a named limit, such as `sessions`."""

    async def claim(self, pool: str, instance: str, *, wanted: int, keep: int, limit: int, ttl_s: float) -> Share:
        """Ask for `wanted` of `limit`; one transaction under the pool's lock, so two instances cannot both take the
        last.

        `keep` = what is in use now: the share never falls below it while the instance lives, even if `limit` was
        lowered. Ask again before `ttl_s` is over (a third of it is right); after it others may take the share, so an
        instance that could not renew in time must grant nothing more. Repeatable.
        """
        ...

    async def give_back(self, pool: str, instance: str) -> None:
        """Return the whole share, at shutdown."""
        ...
