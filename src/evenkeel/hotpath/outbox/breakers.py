"""A breaker per account: after some failed tries in a row nothing is claimed for it for a while, then one message tries."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from evenkeel.hotpath.outbox.verdicts import ACCOUNT_FAULTS
from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import Group
from evenkeel.kernel.clock import Clock

REMEMBERED = 10_000
"""Accounts in trouble that are remembered; over it the one that failed longest ago is forgotten."""


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    open_until_s: float = 0.0
    """Monotonic; 0 = it has not opened."""


class Breakers:
    """Only accounts in trouble take memory: a success forgets the account."""

    def __init__(self, failures: int, open_s: float, clock: Clock) -> None:
        self._failures = failures
        self._open_s = open_s
        self._clock = clock
        self._troubled: OrderedDict[Group, _Trouble] = OrderedDict()

    def saw(self, group: Group, result: SendResult) -> None:
        """What came of a try."""
        if result.kind not in ACCOUNT_FAULTS:
            if result.kind is not SendClass.FORBIDDEN_TARGET:
                self._troubled.pop(group, None)  # it answered: also a refusal shows that it is there
            return
        trouble = self._troubled.setdefault(group, _Trouble())
        self._troubled.move_to_end(group)
        trouble.failures += 1
        if trouble.failures >= self._failures:
            trouble.open_until_s = self._clock.monotonic_s() + max(self._open_s, self._asked_s(result))
        while len(self._troubled) > REMEMBERED:
            self._troubled.popitem(last=False)

    def left_s(self, group: Group) -> float:
        """For how long nothing may be tried; 0 = closed, or it is time for one message to try."""
        trouble = self._troubled.get(group)
        return max(0.0, trouble.open_until_s - self._clock.monotonic_s()) if trouble and trouble.open_until_s else 0.0

    def room(self, group: Group, per_group: int) -> int:
        """How many may be under way: none while open, one while it is being tried out, else `per_group`."""
        trouble = self._troubled.get(group)
        if trouble is None or not trouble.open_until_s:
            return per_group
        return 1 if self.left_s(group) == 0 else 0

    def troubled(self) -> list[Group]:
        """Accounts whose breaker has opened and not closed since."""
        return [group for group, trouble in self._troubled.items() if trouble.open_until_s]

    def open(self) -> tuple[Group, ...]:
        """Accounts for which nothing may be tried now."""
        return tuple(group for group in self.troubled() if self.left_s(group) > 0)

    def next_s(self) -> float | None:
        """Until the next account may be tried again; None = none waits."""
        return min((left for group in self.troubled() if (left := self.left_s(group)) > 0), default=None)

    def _asked_s(self, result: SendResult) -> float:
        """A provider may ask for a longer pause, up to ten times ours."""
        return min(result.retry_after_s or 0.0, 10 * self._open_s)
