"""Limits on attempts: per address, per account, and all together, in memory of a fixed size.

A generic cell rate algorithm: each key remembers one number, the moment at which its share would be used up. Accounts
are slowed, never locked: a lock would let anyone shut anyone out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from evenkeel.hotpath.ports.errors import TooManyAttemptsError
from evenkeel.hotpath.ports.passwords import Attempt, HashRules
from evenkeel.kernel.clock import Clock

REMEMBERED = 50_000
"""Keys per limit. Over it the least recently used is forgotten; the overall limit holds against a flood of new keys."""


class Rate:
    """At most `count` in `window_s` in a burst, then one each `window_s / count`."""

    def __init__(self, count: int, window_s: float) -> None:
        self._step_s = window_s / count
        self._window_s = window_s
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def wait_s(self, key: str, now_s: float) -> float:
        """Until one more is allowed; 0 = now. Changes nothing."""
        used_to = max(now_s, self._full_at.get(key, now_s))
        return max(0.0, used_to + self._step_s - now_s - self._window_s)

    def take(self, key: str, now_s: float) -> None:
        """Count one."""
        self._full_at[key] = max(now_s, self._full_at.get(key, now_s)) + self._step_s
        self._full_at.move_to_end(key)
        while self._full_at and (len(self._full_at) > REMEMBERED or next(iter(self._full_at.values())) <= now_s):
            self._full_at.popitem(last=False)


class Limits:
    """Check and count are one step: there is no await between them."""

    def __init__(self, rules: HashRules, clock: Clock) -> None:
        self._clock = clock
        self._address = Rate(rules.per_address, rules.window_s)
        self._account = Rate(rules.per_account, rules.window_s)
        self._overall = Rate(rules.overall, rules.window_s)

    def count(self, attempt: Attempt) -> None:
        """Count an attempt, or raise `TooManyAttemptsError` and count nothing. An address over its share is refused
        before it can use up an account's.
        """
        now_s = self._clock.monotonic_s()
        for rate, key in self._checked(attempt, now_s):
            rate.take(key, now_s)

    def check(self, attempt: Attempt) -> None:
        """Raise what `count` would, and count nothing."""
        self._checked(attempt, self._clock.monotonic_s())

    def _checked(self, attempt: Attempt, now_s: float) -> list[tuple[Rate, str]]:
        shares = (
            ("this address", self._address, _network(attempt.address)),
            ("this account", self._account, attempt.account.strip().casefold()[:256]),
            ("all accounts together", self._overall, ""),
        )
        for what, rate, key in shares:
            if (wait_s := rate.wait_s(key, now_s)) > 0:
                raise TooManyAttemptsError(what, retry_after_s=wait_s)
        return [(rate, key) for _, rate, key in shares]


def _network(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or the 2^64 IPv6 addresses of a /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed.packed, 64), strict=False))
    return str(parsed)
