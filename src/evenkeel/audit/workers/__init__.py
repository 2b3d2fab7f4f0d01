"""Three isolated workers, one a category: (context store, index) in, one report each out.

The index is built once, in parallel, through the shared cache; then each worker runs in a process of its own that holds the
context store and the index and nothing else. A worker that crashes or takes too long is a failed category, never a failed run.
"""

from __future__ import annotations

from evenkeel.audit.workers.delegation import WorkerOptions, run_workers

__all__ = ["WorkerOptions", "run_workers"]
