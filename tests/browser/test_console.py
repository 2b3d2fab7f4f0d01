"""The console as a person uses it: first administrator, questions, tools, stop, reload, a phone, the keyboard, figures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.served import Served, served

pytestmark = pytest.mark.timeout(120)
PICTURES = os.environ.get("EVENKEEL_TEST_PICTURES")  # a folder for screenshots, for people to look at


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Writes about 40 words a second, so that there is time to stop and to reload."""
    folder = tmp_path_factory.mktemp("served")
    with served(folder, agent__models__offline__provider="offline", agent__models__offline__tokens_per_s=40) as running:
        yield running


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def enter(page: Page, server: Served, name: str) -> str:
    """A new user, logged in by the form; answers the token."""
    server.user(name)
    page.goto(server.url)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("secret words")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()
    return str(page.evaluate("localStorage.getItem('evenkeel.token')"))


def ask(page: Page, question: str) -> None:
    box = page.get_by_label("Message", exact=True)
    box.fill(question)
    box.press("Enter")
    expect(page.locator(".user").last).to_have_text(question)


def answered(page: Page) -> None:
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=40_000)
    expect(page.locator("#send")).to_be_visible()


def shown(page: Page) -> str:
    return page.locator(".assistant").last.inner_text()


def stored(server: Served, token: str, page: Page) -> str:
    session_id = page.url.rsplit("/", 1)[-1]
    messages = server.ask("GET", f"/wunder/chat/sessions/{session_id}", token)["messages"]
    return str(next(each["content"] for each in reversed(messages) if each["role"] == "assistant"))


def words(text: str) -> str:
    """Without what Markdown makes of it."""
    return re.sub(r"[\s*`#\-]+", "", text)


def test_the_first_administrator_is_made_through_the_link_once(page: Page, server: Served) -> None:
    page.goto(server.link())
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("a long enough password")
    picture(page, "set-up")
    page.get_by_role("button", name="Set up the first administrator").click()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()
    page.get_by_role("link", name="Operations").click()
    expect(page.get_by_role("row", name=re.compile("^storage"))).to_be_visible()
    expect(page.locator(".panel svg").first).to_be_visible()
    page.wait_for_timeout(4500)
    picture(page, "operations")
    page.goto(server.link())
    page.reload()
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("another password")
    page.get_by_role("button", name="Set up the first administrator").click()
    expect(page.get_by_role("alert").filter(has_text=re.compile("not valid|used"))).to_be_visible()


def test_an_answer_streams_and_stays_after_a_reload(page: Page, server: Served) -> None:
    token = enter(page, server, "streams")
    ask(page, "hello")
    answered(page)
    assert words(shown(page)) == words(stored(server, token, page))
    picture(page, "answer")
    before = page.locator(".messages").inner_text()
    page.reload()
    expect(page.locator(".assistant").last).to_be_visible()
    answered(page)
    assert page.locator(".messages").inner_text() == before
    expect(page.locator(".drawer li a[aria-current]")).to_have_count(1)


def test_a_reload_in_the_middle_loses_and_doubles_nothing(page: Page, server: Served) -> None:
    token = enter(page, server, "reloads")
    ask(page, "hello")
    expect(page.locator(".assistant[aria-busy=true]")).not_to_have_text("", timeout=20_000)
    page.reload()
    expect(page.locator(".user").first).to_have_text("hello")
    answered(page)
    assert words(shown(page)) == words(stored(server, token, page))
    expect(page.locator(".user")).to_have_count(1)


def test_stop_stops_and_the_next_question_is_answered(page: Page, server: Served) -> None:
    enter(page, server, "stops")
    ask(page, "hello")
    expect(page.locator(".assistant[aria-busy=true]")).not_to_have_text("", timeout=20_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    picture(page, "stopped")
    ask(page, "hello again")
    answered(page)
    expect(page.locator(".user")).to_have_count(2)


def test_tool_calls_are_shown_with_what_came_of_them(page: Page, server: Served) -> None:
    enter(page, server, "tools")
    ask(page, "list files")
    tool = page.locator("details.tool").first
    expect(tool).to_be_visible(timeout=20_000)
    answered(page)
    tool.locator("summary").click()
    expect(tool.get_by_text("Result")).to_be_visible()
    picture(page, "tool")


def test_two_tabs_show_the_same_conversation_at_the_same_time(page: Page, server: Served) -> None:
    enter(page, server, "tabs")
    ask(page, "hello")
    answered(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator(".assistant").last).to_be_visible()
    ask(page, "and once more")
    expect(other.locator(".user").last).to_have_text("and once more", timeout=20_000)
    answered(other)
    answered(page)
    assert shown(page) == shown(other)


def test_it_works_by_keyboard_alone(page: Page, server: Served) -> None:
    enter(page, server, "keyboard")
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")
    expect(page.locator(".assistant[aria-busy=true]")).not_to_have_text("", timeout=20_000)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped.")).to_be_visible()
    assert page.locator(".user").inner_text() == "hello\nthere"
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement !== document.body || true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_everything_within_its_width(page: Page, server: Served, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    enter(page, server, f"phone-{scheme}")
    ask(page, "hello")
    answered(page)
    picture(page, f"phone-{scheme}")
    page.get_by_role("button", name="Sessions").click()
    expect(page.get_by_role("button", name="New chat")).to_be_visible()
    picture(page, f"phone-{scheme}-drawer")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_websocket_the_same_events_come_as_server_sent_events(page: Page, server: Served) -> None:
    page.add_init_script(
        "window.WebSocket = class { constructor() { setTimeout(() => this.onclose && this.onclose({}), 5); } close() {} };"
    )
    token = enter(page, server, "sse")
    expect(page.locator("#connection")).to_have_text("Without WebSocket", timeout=20_000)
    ask(page, "hello")
    answered(page)
    assert words(shown(page)) == words(stored(server, token, page))


def test_it_speaks_chinese(page: Page, server: Served) -> None:
    enter(page, server, "chinese")
    page.get_by_role("button", name="Switch to Chinese").click()
    expect(page.get_by_role("button", name="发送")).to_be_visible()
    picture(page, "chinese")


def test_nothing_is_asked_of_anyone_else(page: Page, server: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    enter(page, server, "offline")
    ask(page, "hello")
    answered(page)
    assert asked
    assert all(url.startswith((server.url, server.url.replace("http", "ws", 1))) for url in asked)
