"""Bounded: maps and lock tables with a name and a cap, in a registry that is passed in.

Open with `build_bounded`; the promises are at `ports.bounded`. Optimised (`capped.py`): least recently used goes over the
capacity, what has aged goes with the janitor. Rollback (`plain.py`): dicts that only grow. Both paths are counted and
reported alike. Maps and locks belong to one event loop.
"""

from __future__ import annotations

from evenkeel.hotpath.bounded.build import build_bounded
from evenkeel.hotpath.ports.bounded import BoundedMaps, LockTable, MapRules, MapUsage

__all__ = ["BoundedMaps", "LockTable", "MapRules", "MapUsage", "build_bounded"]
