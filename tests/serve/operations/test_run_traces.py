"""A run as a collector sees it: one request, one run, its model and tool calls below each other; nothing of what was said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.faults.serving import KEY, instance
from tests.storages import Place

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.blocking_allowed("the collector of this test runs in a thread of its own"),
]


@contextmanager
def collector(received: list[Any]) -> Iterator[str]:
    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                received.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_run_and_its_calls_are_spans_below_their_request(database: Place, tmp_path: Path) -> None:
    spans: list[Any] = []
    with collector(spans) as address:
        settings = {"operations__trace_endpoint": address, "operations__trace_ratio": "1.0"}
        async with instance(database.dsn, tmp_path, **settings) as server:
            body = {"user_id": "ann", "question": "list files", "session_id": "s1", "stream": False}
            answer = await server.http.post("/wunder", json=body, headers={"x-api-key": KEY})
            assert answer.status_code == 200, answer.text
            assert await server.stop() == 0
    by_name = {span.name: span for span in spans}
    assert sorted(by_name) == [
        "POST /wunder", "chat offline", "execute_tool list_files", "invoke_agent evenkeel",
    ], sorted(by_name)  # fmt: skip
    assert sum(span.name == "chat offline" for span in spans) == 2
    run = by_name["invoke_agent evenkeel"]
    assert run.parent_span_id == by_name["POST /wunder"].span_id
    assert {span.parent_span_id for span in spans if span.name not in {run.name, "POST /wunder"}} == {run.span_id}
    assert len({span.trace_id for span in spans}) == 1
    told = {each.key: each.value for each in by_name["chat offline"].attributes}
    assert told["gen_ai.operation.name"].string_value == "chat"
    assert told["gen_ai.request.model"].string_value == "offline"
    assert told["gen_ai.conversation.id"].string_value == "s1"
    assert told["gen_ai.usage.output_tokens"].int_value > 0
    assert {each.key: each.value for each in run.attributes}["evenkeel.run.outcome"].string_value == "success"
    assert "list files" not in str(spans)
