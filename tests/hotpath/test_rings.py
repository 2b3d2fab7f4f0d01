"""Rings over their bound: what a new one costs, and what stays."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from evenkeel.hotpath.events.ring import Ring
from evenkeel.hotpath.events.rings import LOOKS, Rings
from evenkeel.hotpath.events.rules import BusRules
from evenkeel.hotpath.ports.bus import Event

RULES = replace(BusRules(), rings=100, total_bytes=10_000)


class Watched(OrderedDict[str, Ring]):
    """Counts what is moved."""

    moves = 0

    def move_to_end(self, key: str, last: bool = True) -> None:
        self.moves += 1
        super().move_to_end(key, last)


def test_a_new_ring_costs_a_bounded_look_however_many_are_in_use() -> None:
    rings = Rings(RULES)
    rings._rings = watched = Watched()
    for number in range(1_000):
        rings.made(f"read {number}").readers = 1
    watched.moves = 0
    for number in range(3_000):
        rings.made(f"new {number}")
    assert watched.moves <= 3_000 * LOOKS
    assert all(f"read {number}" in watched for number in range(1_000))
    assert len(rings) < 1_000 + 200  # what may go went


def test_a_full_house_of_rings_nobody_reads_costs_one_look_each() -> None:
    rings = Rings(RULES)
    rings._rings = watched = Watched()
    for number in range(1_000):
        rings.made(f"s{number}")
    assert (len(rings), watched.moves) == (RULES.rings, 0)
    assert list(watched) == [f"s{number}" for number in range(900, 1_000)]  # the newest


def test_over_the_bytes_stored_entries_of_read_rings_go_and_the_rest_stays() -> None:
    rings = Rings(RULES)
    for number in range(30):
        ring = rings.made(f"s{number}")
        ring.readers = 1
        assert rings.add(ring, Event(ring.session_id, 1, "x", b"x" * 1_000))
        ring.settled_to = ring.last if number else 0
    assert rings.size_bytes <= RULES.total_bytes
    assert rings.size_bytes == sum(ring.size_bytes for ring in rings)
    unstored = rings.get("s0")
    assert unstored is not None
    assert len(unstored.entries) == 1
    assert len(rings) == 30
