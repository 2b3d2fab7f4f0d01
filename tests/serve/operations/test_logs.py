"""Logs: structured, masked, through a bounded queue."""

from __future__ import annotations

import io
import json
import logging
import threading

import structlog

from evenkeel.kernel.metrics import Meters
from evenkeel.serve.operations import OperationsSettings, open_logs


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_becomes_one_json_line_with_what_was_bound_around_it() -> None:
    stream = io.StringIO()
    with open_logs(OperationsSettings(), Meters(), "optimised", stream):
        with structlog.contextvars.bound_contextvars(trace_id="t1", api_token="very-secret"):
            logging.getLogger("evenkeel.test").warning("%s went\nwrong", "it")
        try:
            raise ValueError("inside")
        except ValueError:
            logging.getLogger("evenkeel.test").exception("failed")
        logging.getLogger("evenkeel.test").debug("not shown")
    first, second = lines(stream)
    assert (first["event"], first["level"], first["trace_id"]) == ("it went\nwrong", "warning", "t1")
    assert first["api_token"] == "***"
    assert "very-secret" not in stream.getvalue()
    assert "ValueError: inside" in str(second["exception"])
    assert "trace_id" not in second


class Stuck(io.StringIO):
    """A pipe that nobody reads, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(10)
        return super().write(text)


def test_a_stuck_pipe_costs_lines_and_no_time() -> None:
    stream, meters = Stuck(), Meters()
    with open_logs(OperationsSettings(log_queue=100), meters, "optimised", stream):
        for number in range(300):
            logging.getLogger("evenkeel.test").warning("line %d", number)
        dropped = meters.registry.get_sample_value("evenkeel_process_log_lines_dropped_total", {"path": "optimised"})
        stream.free.set()
    assert dropped is not None
    assert 190 <= dropped <= 200
    assert len(lines(stream)) == 300 - dropped


def test_the_root_logger_is_left_as_it_was() -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    with open_logs(OperationsSettings(log_format="console"), Meters(), "optimised", io.StringIO()) as _:
        assert root.handlers != before[0]
    assert (root.handlers, root.level) == before
