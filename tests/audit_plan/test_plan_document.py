"""The plan as a document: made of findings alone, in both languages, the same for the same result."""

from __future__ import annotations

import re

import msgspec
import pytest
from markdown_it import MarkdownIt

from evenkeel.audit.model.finding import CATEGORIES, Finding, Step, WorkerReport
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.planning import build_plan
from evenkeel.audit.report import plan
from evenkeel.audit.rules import all_rules
from evenkeel.audit.wording import LANGUAGES, Language
from tests.audit_report.golden_result import golden_result

HANDLER = Step("app/api.py", 12, "app.api.run")
ENGLISH_WORDS = re.compile(r"(?:\b[a-z]{2,}\b[ ,]+){2,}\b[a-z]{2,}")


def _finding(rule: str, **changes: object) -> Finding:
    plain = Finding(
        rule=rule, severity="HIGH", confidence="definite", file=f"app/{rule}.py", line=7, end_line=8,
        function=f"app.{rule}.work", issue=f"`{rule}` here", recommendation="Mend it.", effort="S",
        hot_path=True, entry_path=(HANDLER,),
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def _result(*findings: Finding) -> AuditResult:
    folders = {each.slug: each.category for each in all_rules()}
    reports = [
        WorkerReport(worker, title, "completed", tuple(f for f in findings if folders[f.rule] == worker), lines=9_000)
        for worker, title, _ in CATEGORIES
    ]
    return golden_result(tuple(reports), Profile(root="."))


EVERY_RULE = _result(*(_finding(each.slug) for each in all_rules()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_is_evidence_and_nothing_else_is(language: Language) -> None:
    text = plan.render(EVERY_RULE, name="shop", language=language)
    places = set(re.findall(r"`(app/[\w-]+\.py:\d+)`", text))
    assert places == {f"app/{each.slug}.py:7" for each in all_rules()} | {"app/api.py:12"}
    assert text == plan.render(EVERY_RULE, name="shop", language=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_not_found_does_not_appear(language: Language) -> None:
    text = plan.render(_result(_finding("unclaimed-queue-read")), name="shop", language=language)
    named = set(re.findall(r"evenkeel\.hotpath\.(\w+)", text))
    assert named == {"tasks"}
    assert [each for each in ("S1", "S2", "S3", "S4") if f"### {each}" in text] == ["S3"]
    assert re.findall(r"^\| ([A-D]) \|", text, re.MULTILINE) == ["C", "D"]
    assert not [each.slug for each in all_rules() if f"`{each.slug}`" in text and each.slug != "unclaimed-queue-read"]


def test_p0_is_severe_and_on_the_hot_path() -> None:
    found = _result(
        _finding("n-plus-one"),
        _finding("n-write-loop", hot_path=False),
        _finding("over-fetching", severity="MEDIUM"),
        _finding("session-across-stream", severity="CRITICAL"),
    )
    built = build_plan(found)
    assert [each.rule for each in built.of("P0")] == ["session-across-stream", "n-plus-one"]
    assert [each.rule for each in built.of("P1")] == ["n-write-loop", "over-fetching"]
    assert [each.name for each in built.stages] == ["A", "B"]


def test_one_rule_can_have_two_answers() -> None:
    found = _result(
        _finding("cpu-bound-in-async", issue="In async `login`, `hash` hashes a password on the event loop"),
        _finding("cpu-bound-in-async", line=90, end_line=90, issue="In async `thumb`, `open` works on an image"),
    )
    first, second = build_plan(found).bottlenecks
    assert {first.entry: first.remedy.part, second.entry: second.remedy.part} == {
        "cpu-bound-in-async": "", "password-hashing": "passwords",
    }  # fmt: skip
    assert "about 50 ms" in plan.render(found, name="shop")
    assert "50 ms" not in plan.render(
        _result(second.findings[0] if second.entry == "cpu-bound-in-async" else first.findings[0]), name="shop"
    )


def test_a_scenario_asks_for_its_floor_only_where_it_can_be_moved() -> None:
    floor = "Polling reads of the database at least 60 % lower"
    assert floor in plan.render(_result(_finding("db-poll-loop")), name="shop")
    assert floor not in plan.render(_result(_finding("missing-intermediate-commit")), name="shop")


def test_what_no_scenario_shows_has_none() -> None:
    text = plan.render(_result(_finding("list-allocation", severity="LOW")), name="shop")
    assert "## Acceptance scenarios" not in text
    assert "## Risks and rollback" not in text
    assert "load tests" not in text


def test_stages_take_as_long_as_the_efforts_of_their_findings() -> None:
    many = [
        _finding("n-plus-one", line=10 * n, end_line=10 * n, effort="M", issue=f"`q{'x' * n}` per row")
        for n in range(1, 41)
    ]
    assert build_plan(_result(_finding("n-plus-one"))).stages[0].days == (1, 3)
    assert build_plan(_result(*many)).stages[0].days == (5, 20)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_found_is_one_line(language: Language) -> None:
    text = plan.render(_result(), name="shop", language=language)
    assert len([line for line in text.splitlines() if line]) == 2


def test_the_chinese_plan_is_chinese() -> None:
    text = plan.render(EVERY_RULE, name="shop", language="zh")
    prose = re.sub(r"`[^`\n]*`", "", text).replace("Mend it", "")
    assert ENGLISH_WORDS.findall(prose) == []
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert len(headings) == 8
    assert all(re.search(r"[\u4e00-\u9fff]", each) for each in headings)


@pytest.mark.parametrize("part", ["file", "issue", "recommendation", "function"])
def test_no_text_of_the_audited_code_becomes_markup(part: str) -> None:
    evil = "x|y`</td><script>alert(1)</script>\n# Heading [a](javascript:x)"
    text = plan.render(_result(_finding("n-plus-one", **{part: evil})), name="<b>shop</b>")
    html = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)
    assert "<script" not in html
    assert "<b>" not in html
    assert "href" not in html
    assert "<h1>Heading" not in html
