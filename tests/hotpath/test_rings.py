"""Rings follow the load of the last minute: what nobody uses goes, what somebody needs stays."""

from __future__ import annotations

from evenkeel.hotpath.events import BusRules
from evenkeel.hotpath.events.rings import Rings
from evenkeel.hotpath.ports.bus import Event
from evenkeel.kernel.clock import ManualClock


def filled(rings: Rings, name: str, *, stored: bool = True) -> None:
    ring = rings.made(name)
    rings.add(ring, Event(name, 1, "delta", b"x" * 100))
    if stored:
        ring.settled(1)


def test_a_ring_that_nobody_uses_goes_after_a_while() -> None:
    clock = ManualClock()
    rings = Rings(BusRules(idle_s=60, clock=clock))
    filled(rings, "old")
    clock.advance(59)
    filled(rings, "new")
    assert rings.expire() == 0
    clock.advance(2)
    assert rings.expire() == 1
    assert [ring.session_id for ring in rings] == ["new"]
    assert rings.size_bytes == 100


def test_a_ring_that_is_read_or_holds_what_is_not_stored_stays() -> None:
    clock = ManualClock()
    rings = Rings(BusRules(idle_s=60, clock=clock))
    filled(rings, "unstored", stored=False)
    filled(rings, "read")
    rings.made("read").readers = 1
    filled(rings, "idle")
    clock.advance(1000)
    assert rings.expire() == 1
    assert sorted(ring.session_id for ring in rings) == ["read", "unstored"]
    assert rings.expire() == 0
    rings.made("read").readers = 0
    clock.advance(61)
    assert rings.expire() == 1
