"""Writes: what must be stored, without the request waiting for each piece of it.

Two parts. The *event writer* (`ports.event_writer`) numbers what a run says, shows it at once and stores it in batches
(`batching.py`; rollback: one write per event, `stepwise.py`). The *write queue* (`ports.write_queue`) takes records
that may wait, within a bound, and has a named answer to full (`overflow.py`; rollback: the caller writes,
`synchronous.py`).

Contract: one ordered writer per session and never a way around it; `flush` is the barrier before any terminal state;
ids come from storage and from what is not stored yet; old events go by age alone, in storage's janitor, never with a
turn.
"""

from __future__ import annotations

from evenkeel.hotpath.writes.build import build_event_writer, build_write_queue
from evenkeel.hotpath.writes.rules import WriterRules

__all__ = ["WriterRules", "build_event_writer", "build_write_queue"]
