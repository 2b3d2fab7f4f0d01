"""Servers at an address: what they are sent, and what their refusals come to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from evenkeel.audit.model.profile import Profile, Technology
from evenkeel.audit.model.settings import ResearchSettings, ServerSettings
from evenkeel.audit.research import Caller, build_providers, research
from tests.research.recording_server import result

PROFILE = Profile(root=".", technologies=(Technology("sqlalchemy", "orm"),))
KEY = "EVENKEEL_RESEARCH_KEY"


@contextmanager
def server(status: int = 200, *, silent: bool = False) -> Iterator[tuple[str, list[tuple[dict[str, str], Any]]]]:
    """An MCP server over HTTP, and the headers and bodies of what it was sent."""
    seen: list[tuple[dict[str, str], Any]] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((dict(self.headers), message))
            if silent:
                over.wait(30)
                return
            if status != 200:
                self.answer(status, b"{}")
                return
            got = result(message) if "id" in message else None
            answer = {"result": got} if got is not None else {"error": {"code": -32601, "message": "unknown"}}
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}).encode() if "id" in message else b""
            self.answer(200 if "id" in message else 202, body)

        def do_GET(self) -> None:
            self.answer(405, b"")

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/mcp", seen
    finally:
        over.set()
        http.shutdown()
        http.server_close()
        thread.join()


def notes(address: str, deadline: float = 15.0) -> tuple[tuple[str, ...], set[str]]:
    """What the briefing says of the providers, and who answered."""
    servers = {"ours": ServerSettings(url=address, key_env=KEY)}
    settings = ResearchSettings(providers=("ours", "handbook"), servers=servers, deadline=deadline)
    caller = Caller({KEY: "sesame", "OTHER": "x"}, "2026-02-04", asked=True)
    briefing = research(PROFILE, build_providers(settings, caller))
    return briefing.notes, {each.provider for each in briefing.pages}


def test_an_address_is_asked_with_its_key() -> None:
    with server() as (address, seen):
        assert notes(address) == ((), {"ours"})
    assert {headers.get("authorization", headers.get("Authorization")) for headers, _ in seen} == {"Bearer sesame"}
    calls = [body["params"]["arguments"] for _, body in seen if body["method"] == "tools/call"]
    assert len(calls) == 4
    assert {"query": "SQLAlchemy session lifecycle"} in calls


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "ours refused the key, or lacks one (unconfigured), so it was not asked again"),
        (403, "ours refused the key, or lacks one (unconfigured), so it was not asked again"),
        (429, "ours is rate-limited, so it was not asked again"),
        (503, "ours answered with HTTP status 503 (offline), so it was not asked again"),
    ],
)
def test_a_refusal_has_its_words(status: int, words: str) -> None:
    with server(status) as (address, seen):
        told, answered = notes(address)
    assert told == (words,)
    assert answered == {"handbook"}
    assert len(seen) == 1, "asked once"


def test_nobody_there() -> None:
    told, answered = notes("http://127.0.0.1:9/mcp")
    assert told == ("ours could not be reached (offline), so it was not asked again",)
    assert answered == {"handbook"}


def test_a_server_that_never_answers_costs_its_deadline() -> None:
    with server(silent=True) as (address, _):
        told, answered = notes(address, deadline=2.0)
    assert told == ("ours did not answer within 2 s (offline), so it was not asked again",)
    assert answered == {"handbook"}
