"""The process looks at itself, and traces leave for a collector."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from evenkeel.serve.operations import OperationsSettings, open_tracing, watching_process
from evenkeel.serve.operations.tracing import Traced


async def test_the_process_is_measured_while_it_is_watched() -> None:
    meters = Meters()
    async with watching_process(meters, "optimised", SystemClock(), 0.01):
        await asyncio.to_thread(lambda: None)
        await asyncio.sleep(0.1)
        text = (await asyncio.to_thread(generate_latest, meters.registry)).decode()
        assert meters.registry.get_sample_value("evenkeel_process_pool_threads_items", {"path": "optimised"}) == 1
        seen = meters.registry.get_sample_value("evenkeel_process_loop_lag_seconds_count", {"path": "optimised"})
        assert seen is not None
        assert seen >= 2
    for name in ("process_resident_memory_bytes", "process_open_fds", "evenkeel_process_threads_items"):
        assert f"\n{name}" in text


@pytest.mark.blocking_allowed("the collector of this test and the SDK's sender run in threads of their own")
def test_a_request_becomes_a_span_at_the_collector() -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings = OperationsSettings(trace_endpoint=f"http://127.0.0.1:{server.server_port}", trace_ratio=1.0)
    with open_tracing(settings, "1.0") as tracer:
        app = Traced(Starlette(routes=[Route("/things/{name}", hello)]), tracer=tracer)
        with TestClient(app) as client:
            assert client.get("/things/secret-id").text == "hello"
    server.shutdown()
    server.server_close()
    thread.join()
    assert any(b"GET /things/{name}" in body for body in received)


def test_without_a_collector_there_is_no_tracer() -> None:
    with open_tracing(OperationsSettings(), "1.0") as tracer:
        assert tracer is None
