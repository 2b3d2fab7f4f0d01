"""Limiter: how many sessions may be at work, and which run may work on one.

Contract (`ports.limiter.Limiter`): never more than `max_active`, also when it is 1; check and reserve are one step; a
grant belongs to a run and outlives the connection that asked for it; whoever loses a lease is told. Optimised: slots
in memory, sized by this instance's share of the limit, then one upsert (`shared.py`); leases and share are renewed
from a thread of their own (`keeper.py`). Rollback: DELETE, COUNT and INSERT per attempt, waiters poll (`counting.py`).
Full: callers wait in order of arrival up to `wait_s`; over `waiting` callers, refused at once.
"""

from __future__ import annotations

from evenkeel.hotpath.limiter.build import build_limiter
from evenkeel.hotpath.limiter.rules import LimiterRules

__all__ = ["LimiterRules", "build_limiter"]
