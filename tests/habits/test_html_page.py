"""The HTML report: nothing from outside, nothing that acts, and what a real browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evenkeel.audit.report import html
from evenkeel.audit.report.material import Material, build_material
from evenkeel.audit.rules import all_rules
from tests.audit_report.golden_result import golden_result
from tests.habits.conftest import Audit

EVIL = (
    "`</code><img src=x onerror=\"document.title='pwned'\">` '\"><script>document.title='pwned'</script>\u202e\x1b[2J"
)
VOID = {"meta", "input", "rect", "img", "br"}


class Page(HTMLParser):
    """Every element with its attributes; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def _material(**changes: Any) -> Material:
    result = golden_result()
    category = result.categories[0]
    findings = tuple(msgspec.structs.replace(each, **changes) for each in category.findings)
    changed = msgspec.structs.replace(category, findings=findings)
    result = msgspec.structs.replace(result, categories=(changed, *result.categories[1:]))
    return Material(result, "job-board", rules=all_rules(), version="1")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_nothing_comes_from_outside_and_the_policy_says_so() -> None:
    text = html.render(_material())
    elements = Page(text).elements
    loaded = [attrs for _, attrs in elements if {"src", "srcset", "style", "action", "data"} & set(attrs)]
    assert loaded == []
    assert not [tag for tag, _ in elements if tag in {"link", "img", "iframe", "object", "base", "form"}]
    assert not [name for _, attrs in elements for name in attrs if name.startswith("on")]
    links = [str(attrs["href"]) for tag, attrs in elements if tag == "a"]
    assert all(each.startswith(("#", "https://")) for each in links)
    (policy,) = [attrs["content"] for tag, attrs in elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert policy == (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("part", ["file", "issue", "recommendation", "function", "rule", "fingerprint", "settled_by"])
def test_no_text_of_the_audited_code_becomes_markup(part: str) -> None:
    plain = [tag for tag, _ in Page(html.render(_material())).elements]
    evil = Page(html.render(_material(**{part: EVIL})))
    assert {tag for tag, _ in evil.elements} == set(plain)
    assert [tag for tag, _ in evil.elements].count("script") == 1
    assert "\u202e" not in html.render(_material(**{part: EVIL}))
    assert "\x1b" not in html.render(_material(**{part: EVIL}))


def test_code_of_the_tree_is_shown_and_escaped(audited: Audit, tree: Path) -> None:
    path = tree / "app/jobs.py"
    path.write_text(path.read_text().replace("time.sleep(1)", 'time.sleep(1)  # <script>alert("&amp;")</script>'))
    text = html.render(build_material(audited(), tree, all_rules(), "1"))
    assert "&lt;script&gt;alert(&quot;&amp;amp;&quot;)&lt;/script&gt;" in text
    assert text.count("<script>") == 1
    assert '<span class="own"><i>14</i>        return [fetch(url)' in text or "<i>14</i>    return [fetch(url)" in text
    assert "Worker.run" in text
    assert '<ol class="way">' in text


def test_labels_headings_and_targets_fit(audited: Audit, tree: Path) -> None:
    page = Page(html.render(build_material(audited(), tree, all_rules(), "1")))
    identities = [str(attrs["id"]) for _, attrs in page.elements if "id" in attrs]
    assert len(set(identities)) == len(identities)
    targets = {str(attrs["href"])[1:] for tag, attrs in page.elements if tag == "a" and str(attrs["href"])[0] == "#"}
    targets |= {str(attrs["for"]) for tag, attrs in page.elements if tag == "label" and "for" in attrs}
    assert targets <= set(identities)
    assert [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)][:2] == ["h1", "h2"]


PROBE = """<!doctype html><meta charset="utf-8"><body><iframe id="f" width="WIDTH" height="900" src="PAGE"></iframe><script>
document.getElementById("f").onload = () => {
  const page = document.getElementById("f").contentDocument;
  const view = document.getElementById("f").contentWindow;
  const found = () => Array.from(page.querySelectorAll("details.finding[data-severity]")).filter((e) => !e.hidden).length;
  const act = (id, change) => {
    const element = page.getElementById(id);
    change(element);
    element.dispatchEvent(new view.Event("input", { bubbles: true }));
    return found();
  };
  const out = { title: page.title, all: found(), shown: page.getElementById("shown").textContent };
  out.hidden = page.getElementById("controls").hidden;
  out.words = act("words", (e) => { e.value = "redundant PROCESS"; });
  out.none = act("words", (e) => { e.value = "zzz"; });
  out.said = page.getElementById("shown").textContent;
  act("words", (e) => { e.value = ""; });
  out.hot = act("hot", (e) => { e.checked = true; });
  act("hot", (e) => { e.checked = false; });
  out.category = act("category", (e) => { e.value = "runtime-performance"; });
  act("category", (e) => { e.value = ""; });
  const box = page.querySelector("input[name=severity][value=high]");
  box.checked = false;
  box.dispatchEvent(new view.Event("input", { bubbles: true }));
  out.withoutHigh = found();
  page.getElementById("open").click();
  out.opened = Array.from(page.querySelectorAll("details.finding[data-severity]")).filter((e) => !e.hidden && e.open).length;
  out.wide = page.documentElement.scrollWidth - view.innerWidth;
  out.reachable = page.querySelectorAll("summary, input, select, button, a[href], [tabindex='0']").length;
  const pre = document.createElement("pre");
  pre.id = "out";
  pre.textContent = JSON.stringify(out);
  document.body.appendChild(pre);
};
</script>"""


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("EVENKEEL_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        why = "NOT TESTED: the HTML report in a browser, as there is no Chromium (set EVENKEEL_CHROMIUM)"
        print(why, file=sys.__stderr__)
        if os.environ.get("EVENKEEL_REQUIRE_BROWSER"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def _probed(folder: Path, text: str, width: int, *options: str) -> dict[str, Any]:
    chromium = _chromium()
    (folder / "page.html").write_text(text, encoding="utf-8")
    (folder / "probe.html").write_text(PROBE.replace("WIDTH", str(width)).replace("PAGE", "page.html"))
    command = [
        chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile",
        "--allow-file-access-from-files", "--window-size=1400,1000", "--virtual-time-budget=4000", *options,
        "--dump-dom", (folder / "probe.html").as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=100).stdout
    match = re.search(r'<pre id="out">(.*?)</pre>', dom, re.DOTALL)
    assert match, dom[-2000:]
    data: dict[str, Any] = json.loads(match[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    return data


@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(tmp_path: Path, width: int) -> None:
    out = _probed(tmp_path, html.render(_material()), width)
    assert out["title"] == "Persistence & Performance Audit: job-board"
    assert (out["all"], out["shown"], out["hidden"]) == (4, "4 findings", False)
    assert (out["words"], out["none"], out["said"]) == (1, 0, "0 of 4 findings")
    assert (out["hot"], out["category"], out["withoutHigh"], out["opened"]) == (1, 2, 2, 2)
    assert out["wide"] <= 0, "the page is wider than its window"
    assert out["reachable"] > 10


@pytest.mark.timeout(120)
def test_hostile_text_in_a_browser(tmp_path: Path) -> None:
    out = _probed(tmp_path, html.render(_material(issue=EVIL, file=EVIL, function=EVIL)), 390)
    assert out["title"] == "Persistence & Performance Audit: job-board"
    assert out["wide"] <= 0
