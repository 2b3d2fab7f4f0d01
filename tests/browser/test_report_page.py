"""The HTML report in Chromium, offline: phone and desktop width, light and dark, both languages; it filters, and nothing
leaves the page. Skipped, and said so on stderr, where there is no Chromium (EVENKEEL_CHROMIUM names one)."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from evenkeel.audit.report import html
from evenkeel.audit.report.localised import localised, localised_rules
from evenkeel.audit.report.material import Material
from evenkeel.audit.rules import all_rules
from evenkeel.audit.wording import LANGUAGES, wording_of
from tests.audit_report.golden_result import golden_result

Scheme = Literal["light", "dark"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
  const poor = [];
  for (const e of document.querySelectorAll('p, li, span, summary, dt, dd, td, th, h1, h2, label, code, strong, a')) {
    if (!e.textContent.trim() || !e.getClientRects().length || e.closest('svg')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.className + ': ' + e.textContent.trim().slice(0, 40));
  }
  return poor;
}"""


def _chromium() -> str:
    found = os.environ.get("EVENKEEL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = "NOT TESTED: the HTML report in a browser, as there is no Chromium (set EVENKEEL_CHROMIUM)"
        print(why, file=sys.__stderr__)
        if os.environ.get("EVENKEEL_REQUIRE_BROWSER"):
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page in each language, written before the browser's loop runs."""
    found = {}
    for language in LANGUAGES:
        say, result = wording_of(language), golden_result()
        material = Material(
            localised(result, say), "job-board", rules=localised_rules(all_rules(), say), say=say, stated=result
        )
        found[str(language)] = tmp_path_factory.mktemp(language) / "page.html"
        found[language].write_text(html.render(material), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(pages: dict[str, Path]) -> Iterator[Browser]:
    assert pages
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=LANGUAGES)
def page_file(request: pytest.FixtureRequest, pages: dict[str, Path]) -> tuple[str, Path]:
    return str(request.param), pages[request.param]


def _opened(browser: Browser, path: Path, width: int, scheme: Scheme) -> tuple[Page, list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(path.as_uri())
    return page, said


def _shown(page: Page) -> int:
    return page.locator("details.finding[data-severity]:visible").count()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_can_be_read(browser: Browser, page_file: tuple[str, Path], width: int, scheme: Scheme) -> None:
    language, path = page_file
    page, said = _opened(browser, path, width, scheme)
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-Hans"}[language]
        poor: list[Any] = page.evaluate(CONTRAST)
        assert poor == [], "text without enough contrast"
        assert page.locator(".stages > li").count() >= 2
        assert page.locator("svg.tree a").count() >= 1
        assert said == []
    finally:
        page.context.close()


@pytest.mark.timeout(120)
def test_it_filters_and_leads_to_findings(browser: Browser, page_file: tuple[str, Path]) -> None:
    page, said = _opened(browser, page_file[1], 390, "light")
    try:
        every = _shown(page)
        page.fill("#words", "redundant process")
        assert _shown(page) == 1
        page.fill("#words", "")
        page.check("#hot")
        assert _shown(page) == 1
        page.uncheck("#hot")
        page.uncheck("input[name=severity][value=high]")
        assert _shown(page) == every - 2
        assert f"{every - 2}" in page.inner_text("#shown")
        page.check("input[name=severity][value=high]")
        page.locator("svg.tree a").first.click()
        target = page.evaluate("location.hash.slice(1)")
        assert page.evaluate("id => document.getElementById(id).open", target)
        assert said == []
    finally:
        page.context.close()
