"""Operations: what whoever runs the server needs. Logs, traces, a capped thread pool, seldom collections, and a doctor.

Nothing here is on the way of a request: logs leave through a queue, traces through a batch. Figures of the process are
`kernel.process`'s.
"""

from __future__ import annotations

from evenkeel.serve.operations.collection import collected_seldom
from evenkeel.serve.operations.doctor import Check, diagnose
from evenkeel.serve.operations.logs import open_logs
from evenkeel.serve.operations.pool import capped_pool
from evenkeel.serve.operations.settings import OperationsSettings
from evenkeel.serve.operations.tracing import Traced, TracedSpans, open_tracing

__all__ = [
    "Check",
    "OperationsSettings",
    "Traced",
    "TracedSpans",
    "capped_pool",
    "collected_seldom",
    "diagnose",
    "open_logs",
    "open_tracing",
]
