"""All rings of a process, within their bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.events.rules import BusRules
from evenkeel.hotpath.ports.bus import Event

LOOKS = 64
"""Rings looked at for one new ring over the bound. Rings in use may be more than the bound; they are left alone."""


class Rings:
    """Rings by session, least recently used first. A ring that is read, or that holds what is not stored yet, stays."""

    def __init__(self, rules: BusRules) -> None:
        self._rules = rules
        self._rings: OrderedDict[str, Ring] = OrderedDict()
        self.size_bytes = 0
        self.readers = 0

    def __len__(self) -> int:
        return len(self._rings)

    def __iter__(self) -> Iterator[Ring]:
        return iter(self._rings.values())

    def get(self, session_id: str) -> Ring | None:
        """The ring of a session, if it has one."""
        return self._rings.get(session_id)

    def made(self, session_id: str) -> Ring:
        """The ring of a session, new if need be."""
        ring = self._rings.get(session_id)
        if ring is None:
            ring = self._rings[session_id] = Ring(session_id)
            self._make_room(ring)
        else:
            self._rings.move_to_end(session_id)
        ring.used_at = self._rules.clock.monotonic_s()
        return ring

    def expire(self) -> int:
        """Drop rings that nobody used for `idle_s`; answers how many. One that must stay counts as used now."""
        now, dropped = self._rules.clock.monotonic_s(), 0
        while self._rings:
            ring = next(iter(self._rings.values()))
            if now - ring.used_at < self._rules.idle_s:
                break
            if ring.unstored or ring.readers:
                ring.used_at = now
                self._rings.move_to_end(ring.session_id)
            else:
                del self._rings[ring.session_id]
                self.size_bytes -= ring.size_bytes
                dropped += 1
        return dropped

    def add(self, ring: Ring, event: Event) -> bool:
        """`Ring.add`, with the bounds kept."""
        before = ring.size_bytes
        added = ring.add(event)
        ring.trim(self._rules)
        self.account(ring, before)
        return added

    def account(self, ring: Ring, before: int) -> None:
        """After any change of a ring's size."""
        self.size_bytes += ring.size_bytes - before
        if self.size_bytes > self._rules.total_bytes:
            self._make_room(ring)

    def _make_room(self, newest: Ring) -> None:
        """Unread rings go whole; of read ones the stored entries go, and their readers read storage. What must stay moves
        behind the others, so that the next look begins with what may go: a look costs a few rings, not all of them.
        """
        looks = len(self._rings) if self.size_bytes > self._rules.total_bytes else LOOKS
        while looks > 0 and self._over():
            looks -= 1
            ring = next(iter(self._rings.values()))
            if ring is newest or ring.unstored or ring.readers:
                self._rings.move_to_end(ring.session_id)
                if ring is not newest and not ring.unstored and self.size_bytes > self._rules.total_bytes:
                    self.size_bytes -= ring.size_bytes
                    ring.drop(len(ring.entries))
            else:
                del self._rings[ring.session_id]
                self.size_bytes -= ring.size_bytes

    def _over(self) -> bool:
        return len(self._rings) > self._rules.rings or self.size_bytes > self._rules.total_bytes
