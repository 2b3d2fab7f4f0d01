"""The loop's pool is capped, and traces leave for a collector."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from evenkeel.kernel.metrics import Meters
from evenkeel.serve.operations import OperationsSettings, capped_pool, open_tracing
from evenkeel.serve.operations.tracing import Traced
from tests.queues import until


async def test_the_pool_has_a_cap_and_is_counted() -> None:
    meters = Meters()

    def value(name: str) -> float | None:
        return meters.registry.get_sample_value(f"evenkeel_process_{name}_items", {"path": "optimised"})

    release = threading.Event()
    async with capped_pool(meters, "optimised", 2):
        calls = [asyncio.ensure_future(asyncio.to_thread(release.wait, 10)) for _ in range(5)]
        await until(lambda: value("pool_waiting") == 3)
        assert value("pool_threads") == value("pool_busy") == 2
        release.set()
        assert await asyncio.gather(*calls) == [True] * 5
        await until(lambda: value("pool_busy") == 0)


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
