"""The console's pure modules, in the browser that they run in: events to rounds, figures, Markdown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

pytestmark = [pytest.mark.timeout(90)]

ROUNDS = """async ([base, events]) => {
  const { apply, newState, view } = await import(`${base}/console/js/rounds.js`);
  const state = newState();
  const changed = events.map((event) => apply(state, event));
  return { changed, lastId: state.lastId, rounds: [...state.rounds.values()].map((round) => ({
    question: round.question, ended: round.ended, parts: view(round) })) };
}"""


def event(number: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": str(number), "event": kind, "data": {"session_id": "s", "data": {"user_round": 1, **data}}}


def delta(number: int, text: str, model_round: int = 1) -> dict[str, Any]:
    return event(number, "llm_output_delta", delta=text, model_round=model_round)


START = event(1, "progress", stage="start", question="Why?")
ANSWER = [
    START,
    event(2, "llm_request", model_round=1),
    delta(3, "Be"),
    delta(4, "cau"),
    delta(5, "se."),
    event(6, "llm_output", content="Because.", model_round=1),
    event(7, "final", answer="Because."),
]


@pytest.fixture
def console(page: Page, static_console: str) -> tuple[Page, str]:
    page.goto(f"{static_console}/console/icon.svg")  # same origin, no script of its own
    return page, static_console


def reduced(console: tuple[Page, str], events: list[dict[str, Any]]) -> dict[str, Any]:
    page, base = console
    found: dict[str, Any] = page.evaluate(ROUNDS, [base, events])
    return found


def text_of(found: dict[str, Any]) -> str:
    return "".join(part["text"] for part in found["rounds"][0]["parts"] if part["kind"] == "text")


def test_what_arrives_twice_changes_nothing_the_second_time(console: tuple[Page, str]) -> None:
    found = reduced(console, [*ANSWER[:5], *ANSWER[2:5], *ANSWER])
    assert text_of(found) == "Because."
    assert found["rounds"][0]["ended"]


def test_a_batch_that_overlaps_what_was_seen_adds_only_the_rest(console: tuple[Page, str]) -> None:
    segments = [{"event_id": n, "delta": text} for n, text in ((3, "Be"), (4, "cau"), (5, "se."))]
    batch = event(5, "llm_output_delta", model_round=1, segments=segments, event_id_start=3, event_id_end=5)
    found = reduced(console, [*ANSWER[:3], batch])
    assert text_of(found) == "Because."


def test_a_model_call_that_is_repeated_begins_its_text_anew(console: tuple[Page, str]) -> None:
    found = reduced(console, [*ANSWER[:4], event(5, "llm_request", model_round=1), delta(6, "Because")])
    assert text_of(found) == "Because"


def test_tool_calls_meet_their_results_in_order(console: tuple[Page, str]) -> None:
    calls = [event(8 + n, "tool_call", tool="list", args={"n": n}, model_round=1) for n in range(2)]
    results = [event(10 + n, "tool_result", tool="list", ok=n == 0, data=n, model_round=1) for n in range(2)]
    found = reduced(console, [START, *calls, *results])
    tools = [part for part in found["rounds"][0]["parts"] if part["kind"] == "tool"]
    assert [(each["args"]["n"], each["result"]["ok"], each["result"]["data"]) for each in tools] == [
        (0, True, 0), (1, False, 1),
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_reconnect_shows_the_same_text(page_of_session: tuple[Page, str], data: st.DataObject) -> None:
    """Whatever prefix was seen and wherever a replay begins, joined deltas or not, the text is the same."""
    seen = data.draw(st.integers(0, 7))
    again = data.draw(st.integers(0, seen))
    joined = data.draw(st.booleans())
    tail = ANSWER[again:]
    if joined:
        segments = [{"event_id": n, "delta": text} for n, text in ((3, "Be"), (4, "cau"), (5, "se."))]
        tail = [each for each in ANSWER if each["event"] != "llm_output_delta"]
        tail.insert(2, event(5, "llm_output_delta", model_round=1, segments=segments))
        tail = [each for each in tail if int(each["id"]) > again]
    assert text_of(reduced(page_of_session, [*ANSWER[:seen], *tail])) == "Because."


@pytest.fixture(scope="module")
def page_of_session(browser: Any, static_console: str) -> Any:
    opened = browser.new_page()
    opened.goto(f"{static_console}/console/icon.svg")
    yield opened, static_console
    opened.close()


PROMETHEUS = """async ([base, before, now]) => {
  const m = await import(`${base}/console/js/prometheus.js`);
  const [a, b] = [m.parse(before), m.parse(now)];
  return [m.sum(b, "g", { state: "x" }), m.sum(b, "none"), m.rate(b, a, 2, "c_total"),
          m.quantile(b, a, 0.5, "h"), m.quantile(a, a, 0.5, "h")];
}"""
BEFORE = 'c_total 10\nh_bucket{le="1.0"} 5\nh_bucket{le="2.0"} 5\nh_bucket{le="+Inf"} 5\n'
NOW = (
    '# HELP g a gauge\ng{state="x",why="a \\"b\\""} 3\ng{state="x"} 4\ng{state="y"} 9\nc_total 16\n'
    'h_bucket{le="1.0"} 5\nh_bucket{le="2.0"} 15\nh_bucket{le="+Inf"} 15\n'
)


def test_figures_are_read_as_prometheus_means_them(console: tuple[Page, str]) -> None:
    page, base = console
    assert page.evaluate(PROMETHEUS, [base, BEFORE, NOW]) == [7, None, 3, 1.5, None]


MARKDOWN = """async ([base, text]) => {
  const { markdown } = await import(`${base}/console/js/markdown.js`);
  const box = document.implementation.createHTMLDocument("").body;
  box.append(...markdown(text));
  return box.innerHTML;
}"""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** `c`", "<p>a <strong>b</strong> <code>c</code></p>"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        ("```py\n<b>\n```\nend", '<pre tabindex="0"><code>&lt;b&gt;</code></pre><p>end</p>'),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("```\nopen", '<pre tabindex="0"><code>open</code></pre>'),
    ],
)
def test_markdown_becomes_elements_and_never_markup(console: tuple[Page, str], text: str, html: str) -> None:
    page, base = console
    assert page.evaluate(MARKDOWN, [base, text]) == html
