"""Three isolated workers, one a category: (context store, index) in, one report each out.

The index is built once, in parallel, through the shared cache; then each worker runs in a process of its own that holds the
context store and the index and nothing else. A worker that crashes or takes too long is a failed category, never a failed run.
"""

from __future__ import annotations

from evenkeel.audit.workers.delegation import Source, WorkerOptions, find_source, is_small, read_source, run_workers

__all__ = ["Source", "WorkerOptions", "find_source", "is_small", "read_source", "run_workers"]
