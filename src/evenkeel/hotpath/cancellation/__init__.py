"""Cancellation: a run hears at once that it should stop, wherever it is, and its session is free.

Contract (`ports.cancellation.Cancellation`): only `cancel` cancels, never a client that goes away; a cancel signals the
run, stores exactly one terminal event, settles tasks, lease and thread; what the old run still tries to write is
fenced; a token is not tripped by the cancel of an earlier run. Optimised: an event, and a wake-up that names the run
(`signalled.py`). Rollback: a flag behind one lock, polled every 200 ms (`polling.py`). Full: over `tokens` runs,
`token` refuses.
"""

from __future__ import annotations

from evenkeel.hotpath.cancellation.build import build_cancellation
from evenkeel.hotpath.cancellation.rules import CancelRules, cancelled_event

__all__ = ["CancelRules", "build_cancellation", "cancelled_event"]
