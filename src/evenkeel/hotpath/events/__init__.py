"""Events: what a session says reaches everyone who watches it, from memory.

Contract (`ports.bus.Bus`): the publisher never waits; every reader gets every stored event above its cursor once, in
order, or is told what is gone; a slow reader reads storage from its own place and nobody notices; a silent session
costs its watchers nothing. Optimised: a ring per session, and one read per instance for what other instances wrote
(`memory.py`). Rollback: each reader polls the table (`polling.py`). Full: a ring forgets what is stored; over the
number of readers `subscribe` refuses.
"""

from __future__ import annotations

from evenkeel.hotpath.events.build import build_bus, live_evidence
from evenkeel.hotpath.events.rules import Activity, BusRules

__all__ = ["Activity", "BusRules", "build_bus", "live_evidence"]
