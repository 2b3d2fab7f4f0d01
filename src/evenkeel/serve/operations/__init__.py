"""Operations: what whoever runs the server needs. Logs, traces, figures of the process, and a doctor.

Nothing here is on the way of a request: logs leave through a queue, traces through a batch, the process is looked at
twice a second.
"""

from __future__ import annotations

from evenkeel.serve.operations.doctor import Check, Subject, diagnose
from evenkeel.serve.operations.logs import open_logs
from evenkeel.serve.operations.process import watching_process
from evenkeel.serve.operations.settings import OperationsSettings
from evenkeel.serve.operations.tracing import Traced, open_tracing

__all__ = [
    "Check",
    "OperationsSettings",
    "Subject",
    "Traced",
    "diagnose",
    "open_logs",
    "open_tracing",
    "watching_process",
]
