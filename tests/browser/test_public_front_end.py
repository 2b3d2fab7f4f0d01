"""The public front end of the agent API, built unmodified, against `evenkeel serve`.

Its source is not ours to ship. Build it (`frontend/` of the API's own project: `npm ci && npm run build`) and name the
resulting folder in `EVENKEEL_TEST_FRONT_END`; without it these tests are skipped.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tests.browser.served import Served, served

BUILT = os.environ.get("EVENKEEL_TEST_FRONT_END", "")
PICTURES = os.environ.get("EVENKEEL_TEST_PICTURES")
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not BUILT, reason="NO FRONT END: build it and name its dist folder in EVENKEEL_TEST_FRONT_END"),
]


@pytest.fixture(scope="module", params=["ws", "sse"])
def front_end(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Served]]:
    """Its files on an origin of their own, told where the API is; the API allows that origin and names the transport."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        folder = tmp_path_factory.mktemp("served")
        settings = {
            "api__cors_origins": f'["{origin}"]',
            "api__chat_stream_channel": request.param,
            "agent__models__offline__provider": "offline",
            "agent__models__offline__tokens_per_s": 30,
        }
        with served(folder, **settings) as running:
            server = uvicorn.Server(
                uvicorn.Config(files(Path(BUILT), f"{running.url}/wunder"), log_level="error", lifespan="off")
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)
            yield origin, running
            server.should_exit = True
            thread.join(10)


def files(built: Path, api: str) -> Starlette:
    """Static files with a fall-back to index.html, and the configuration that the front end asks for."""

    async def config(request: Request) -> Response:
        return JSONResponse({"api_base": api})

    async def file(request: Request) -> Response:
        wanted = (built / request.path_params["path"]).resolve()
        inside = wanted.is_relative_to(built.resolve()) and wanted.is_file()  # noqa: ASYNC240 - a server for tests
        return FileResponse(wanted if inside else built / "index.html")

    return Starlette(routes=[Route("/config.json", config), Route("/{path:path}", file)])


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"front-end-{name}.png"))


def bubbles(page: Page) -> list[str]:
    return [each.strip() for each in page.locator(".message-text").all_inner_texts()]


def settled(page: Page) -> str:
    """The last bubble once it no longer changes."""
    last = ""
    for _ in range(120):
        texts = bubbles(page)
        if texts and texts[-1] == last and len(last) > 20:
            return last
        last = texts[-1] if texts else ""
        page.wait_for_timeout(3000)
    raise AssertionError(bubbles(page))


def same(shown: str, stored: str) -> bool:
    """The text, and behind it nothing but the front end's own line of figures."""
    flat, wanted = "".join(shown.split()), "".join(stored.split())
    return flat == wanted or flat.startswith(f"{wanted}Duration")


def entered(page: Page, origin: str, server: Served, name: str) -> str:
    """A new user, logged in by the form, at the chat; answers the token."""
    token = server.user(name)
    page.goto(f"{origin}/login")
    page.locator("input").nth(0).fill(name)
    page.locator("input[type=password]").fill("secret words")
    page.locator("input[type=password]").press("Tab")
    page.locator("button").first.click()
    page.wait_for_url("**/app/**", timeout=20_000)
    page.goto(f"{origin}/app/chat?entry=default")
    expect(page.locator("textarea").first).to_be_visible(timeout=20_000)
    return token


def send(page: Page, text: str) -> None:
    page.locator("textarea").first.fill(text)
    page.locator(".send-btn").click()


def session_of(server: Served, token: str) -> str:
    (session,) = server.ask("GET", "/wunder/chat/sessions", token)["items"]
    return str(session["id"])


def answer_of(server: Served, token: str) -> str:
    messages = server.ask("GET", f"/wunder/chat/sessions/{session_of(server, token)}", token)["messages"]
    return str(messages[-1]["content"])


def test_an_answer_streams_and_a_second_one_is_stopped(page: Page, front_end: tuple[str, Served]) -> None:
    origin, server = front_end
    token = entered(page, origin, server, "visitor")
    send(page, "hello")
    answer = settled(page)
    picture(page, "answer")
    assert same(answer, answer_of(server, token))
    send(page, "say 200 words")
    page.wait_for_timeout(2500)
    page.locator(".send-btn").click()  # the same button stops
    page.wait_for_timeout(1500)
    picture(page, "stopped")
    events = server.ask("GET", f"/wunder/chat/sessions/{session_of(server, token)}/events", token)
    assert events["running"] is False
    assert events["rounds"][-1]["events"][-1]["data"]["code"] == "CANCELLED"


def test_a_reload_in_the_middle_resumes(page: Page, front_end: tuple[str, Served]) -> None:
    origin, server = front_end
    token = entered(page, origin, server, "reloader")
    send(page, "say 150 words")
    page.wait_for_timeout(2000)
    page.reload()
    expect(page.locator("textarea").first).to_be_visible(timeout=20_000)
    answer = settled(page)
    picture(page, "resumed")
    assert same(answer, answer_of(server, token))
