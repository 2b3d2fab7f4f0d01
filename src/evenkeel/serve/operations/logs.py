"""Structured logs: every record through one bounded queue to one writer thread; a full disk or pipe stops no request.

A line has `timestamp` (RFC 3339, UTC), `level`, `logger`, `event`, and what the code bound beside it: `trace_id` by the
API's front, `session_id` by a run. Values under a key that names a secret are masked.
"""

from __future__ import annotations

import logging
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from evenkeel.kernel.metrics import Meters
from evenkeel.serve.operations.settings import OperationsSettings

SECRETS = ("password", "secret", "token", "api_key", "authorization", "cookie")
MASK = "***"
DRAIN_S = 5.0


@contextmanager
def open_logs(
    settings: OperationsSettings, meters: Meters, profile: str, stream: TextIO | None = None
) -> Iterator[None]:
    """Route the standard library's logging, and so everybody's, through structlog to `stream` (standard error).

    Leaving writes what waits and puts the root logger back as it was.
    """
    dropped = meters.counter("process", "log_lines_dropped", "Log lines for which the queue had no room.").labels(
        profile
    )
    lines: queue.Queue[logging.LogRecord] = queue.Queue(settings.log_queue)
    writer = logging.StreamHandler(stream or sys.stderr)
    writer.setFormatter(_formatter(settings.log_format))
    listener = _Listener(lines, writer)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = [_Bounded(lines, dropped.inc)]
    root.setLevel(settings.log_level.upper())
    chatter = logging.getLogger("httpx2")  # a line for every call of a model: those are counted in metrics
    talkative = chatter.level
    chatter.setLevel(logging.WARNING)
    listener.start()
    try:
        yield
    finally:
        chatter.setLevel(talkative)
        root.handlers = before
        root.setLevel(level)
        listener.stop()


class _Listener(QueueListener):
    """Stops within `DRAIN_S`, also when its stream takes nothing any more."""

    def stop(self) -> None:
        """Write what waits, as far as there is time."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self.queue.put(self._sentinel, timeout=DRAIN_S)  # type: ignore[attr-defined]  # typeshed lacks both
        except queue.Full:
            return
        thread.join(DRAIN_S)


class _Bounded(QueueHandler):
    """Drops and counts when the queue is full."""

    def __init__(self, lines: queue.Queue[logging.LogRecord], on_drop: Callable[[], None]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._on_drop = on_drop

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Binds what the caller's context holds; the message is put together in the writer's thread."""
        record.__dict__.setdefault("context", dict(structlog.contextvars.get_contextvars()))
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self._on_drop()


def _formatter(form: str) -> logging.Formatter:
    last: Processor = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            _with_context,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _masked, last],
    )


def _with_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if record is not None:
        event.update(getattr(record, "context", {}))
        if record.exc_text:
            event["exception"] = record.exc_text
            record.exc_text = None
    return event


def _masked(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if any(word in key.lower() for word in SECRETS):
            event[key] = MASK
    return event
