"""Tasks: runs queued work with at most `max_workers` at once, in any number of instances.

Open with `build_tasks`; the promises are at `ports.task_queue` and `ports.agent_tasks`. Optimised (`claiming.py`): tasks
are claimed in batches, woken by notification, completed in batches, and their leases are kept by a thread of its own.
Rollback (`polling.py`): poll, read what is pending, spawn it all.

An outcome is taken only under the attempt it was claimed with; what comes later changes nothing and is counted
(`evenkeel_tasks_fenced_total`). A run's outcome is its terminal event: see `outcome_of_event`.
"""

from __future__ import annotations

from evenkeel.hotpath.ports.task_queue import Outcome, QueueRules, QueueState, TaskContext, TaskQueue
from evenkeel.hotpath.tasks.build import build_tasks
from evenkeel.hotpath.tasks.outcomes import outcome_of_event

__all__ = ["Outcome", "QueueRules", "QueueState", "TaskContext", "TaskQueue", "build_tasks", "outcome_of_event"]
