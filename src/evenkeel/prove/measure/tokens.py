"""The text that the simulated model writes: each word is its number and when it was sent.

So whatever a server does with the text on its way (join words, store and replay them, send them twice), a client can tell
which word it got, whether one is missing, and how long each took. A word is about 12 bytes: three real tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_WRAP = 1 << 32  # microseconds: 71 minutes


def word(number: int, sent_s: float) -> str:
    """Word `number` (from 0), sent at `sent_s` on the monotonic clock; ends in a space."""
    return f"{number:x}.{int(sent_s * 1e6) % _WRAP:x} "


def age_s(stamp_us: int, now_s: float) -> float:
    """Seconds since a word was stamped; a stamp wraps every 71 minutes."""
    age = (int(now_s * 1e6) - stamp_us) % _WRAP
    return (age - _WRAP if age > _WRAP // 2 else age) / 1e6


@dataclass(slots=True)
class Track:
    """Follows the words of one answer at one client. `add` takes text as it comes, cut anywhere."""

    expected: int = 0
    doubled: int = 0
    reordered: int = 0
    foreign: int = 0  # text that is none of ours
    delays: list[float] = field(default_factory=list)
    _rest: str = ""
    _early: set[int] = field(default_factory=set)  # words that came before one that is still missing

    def add(self, text: str, now_s: float, since_s: float = float("-inf")) -> None:
        """Text that came now. Words sent before `since_s` were replayed, not delivered: they have no delay."""
        words = (self._rest + text).split(" ")
        self._rest = words.pop()
        for each in words:
            number, _, stamp = each.partition(".")
            try:
                self._word(int(number, 16), age_s(int(stamp, 16), now_s), now_s - since_s)
            except ValueError:
                self.foreign += 1

    def _word(self, number: int, delay: float, longest: float) -> None:
        if number < self.expected or number in self._early:
            self.doubled += 1
            return
        if delay <= longest:
            self.delays.append(delay)
        if number == self.expected:
            self.expected += 1
            while self.expected in self._early:
                self._early.remove(self.expected)
                self.expected += 1
                self.reordered += 1
            return
        self._early.add(number)

    def missing(self, total: int) -> int:
        """How many of `total` words never came."""
        return total - self.expected - len(self._early)

    @property
    def got(self) -> int:
        """How many different words came."""
        return self.expected + len(self._early)
