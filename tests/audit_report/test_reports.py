"""The reports, whole: what stands in `golden/` is what a reader gets. `EVENKEEL_GOLDEN=write` writes it again."""

from __future__ import annotations

import json as stdlib_json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evenkeel.audit.model.finding import CATEGORIES, WorkerReport
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.report import json, markdown, profile, terminal
from evenkeel.audit.report.text import code, link, printable, prose
from tests.audit_report.golden_result import PROFILE, REPORTS, golden_result

GOLDEN = Path(__file__).parent / "golden"
PRESCRIBED = [
    "Executive Summary",
    "Compliance Score",
    "Severity Summary",
    "Findings by Category",
    "Recommended Actions",
    "Sources Consulted",
]
READER = MarkdownIt("gfm-like", {"linkify": False})


def check(name: str, text: str) -> None:
    """Compare with the golden file of that name."""
    path = GOLDEN / name
    if os.environ.get("EVENKEEL_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_markdown() -> None:
    check("report.md", markdown.render(golden_result()))


def test_json() -> None:
    check("report.json", json.render(golden_result()))


@pytest.mark.parametrize("width", [40, 80])
def test_terminal(width: int) -> None:
    text = terminal.render(golden_result(), name="job-board", width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    check(f"terminal-{width}.txt", text)


def test_profile() -> None:
    check("profile.txt", profile.render_text(PROFILE))
    assert profile.published(PROFILE)["root"] == "."


def test_nothing_found_reads_well() -> None:
    clean = tuple(WorkerReport(worker, title, "completed", lines=900, files=9) for worker, title, _ in CATEGORIES)
    result = golden_result(clean, Profile(root="."))
    check("clean.md", markdown.render(result))
    check("clean.txt", terminal.render(result, name="tiny", width=80))


def test_everything_failed_reads_well() -> None:
    failed = tuple(WorkerReport(worker, title, "failed", note="out of memory") for worker, title, _ in CATEGORIES)
    result = golden_result(failed)
    assert result.overall_score is None
    check("failed.txt", terminal.render(result, name="tiny", width=80))
    assert "| **Overall** | **n/a** | No category ran |" in markdown.render(result)


def test_the_prescribed_sections_come_first_and_in_order() -> None:
    text = markdown.render(golden_result())
    assert text.startswith("# Persistence & Performance Audit Report - 2026-02-04\n")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[: len(PRESCRIBED)] == PRESCRIBED
    assert headings[len(PRESCRIBED) :] == ["Advisories", "Needs Context", "Gaps", "Definition of Done"]
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [
        "1. Query Efficiency",
        "2. Transaction Correctness",
        "3. Runtime Performance",
    ]


def test_a_markdown_reader_sees_tables_and_no_html() -> None:
    tokens = READER.parse(markdown.render(golden_result()))
    inside = [child for token in tokens for child in token.children or []]
    assert not [each for each in (*tokens, *inside) if each.type.startswith("html")]
    links = [each.attrs["href"] for each in inside if each.type == "link_open"]
    assert len(links) == len(golden_result().sources)
    assert all(str(each).startswith("https://") for each in links)
    widths = _row_widths(tokens)
    assert len(widths) == 8
    assert all(len(set(rows)) == 1 for rows in widths)


def _row_widths(tokens: list[Any]) -> list[list[int]]:
    tables: list[list[int]] = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in {"td_open", "th_open"}:
            tables[-1][-1] += 1
    return tables


def test_the_summary_is_two_or_three_sentences() -> None:
    half_failed = (REPORTS[1], msgspec.structs.replace(REPORTS[0], findings=()))
    for result in (golden_result(), golden_result(()), golden_result(half_failed)):
        sentences = re.findall(r"[A-Z0-9][^`]*?(?:`[^`]*`[^`]*?)*?\.(?= [A-Z0-9]|$)", result.summary)
        assert 2 <= len(sentences) <= 3, result.summary


def test_json_has_exactly_the_published_keys() -> None:
    data = stdlib_json.loads(json.render(golden_result()))
    assert list(data) == [
        "schema_version", "root", "date", "context", "categories", "overall_score", "severity_counts", "sources",
        "gaps", "definition_of_done",
    ]  # fmt: skip
    assert (data["schema_version"], data["root"], data["date"]) == ("1", ".", "2026-02-04")
    assert list(data["context"]) == ["tech_stack", "best_practices", "db_config", "codebase_root"]
    assert data["context"]["tech_stack"] == {"db": "postgresql", "orm": "sqlalchemy", "async": "asyncio"}
    assert data["context"]["codebase_root"] == "."
    assert [each["worker"] for each in data["categories"]] == [worker for worker, _, _ in CATEGORIES]
    query, transaction, runtime = data["categories"]
    assert list(query) == [
        "category", "worker", "status", "score", "total_issues", "severity_counts", "findings",
    ]  # fmt: skip
    assert (transaction["status"], transaction["score"], transaction["findings"]) == ("failed", None, [])
    assert query["total_issues"] == sum(query["severity_counts"].values()) == 2
    assert [each["confidence"] for each in query["findings"]] == ["definite", "likely", "needs-context"]
    assert list(query["findings"][0]) == [
        "rule", "severity", "confidence", "file", "line", "end_line", "function", "issue", "recommendation",
        "effort", "hot_path", "path", "fingerprint", "advisory",
    ]  # fmt: skip
    assert list(query["findings"][0]["path"][0]) == ["file", "line", "function"]
    assert runtime["findings"][-1]["advisory"]["reason"] == "Planned: ADR-12"
    assert list(data["sources"][0]) == ["title", "url", "provider"]
    assert list(data["definition_of_done"][0]) == ["item", "done", "note"]


def test_equal_input_gives_equal_bytes() -> None:
    assert json.render(golden_result()) == json.render(golden_result())
    assert markdown.render(golden_result()) == markdown.render(golden_result())


def test_names_that_are_not_utf8_are_written_as_escapes() -> None:
    gap = msgspec.structs.replace(golden_result().gaps[0], what="app/\udcff.py")
    result = msgspec.structs.replace(golden_result(), gaps=(gap,))
    assert stdlib_json.loads(json.render(result))["gaps"][0]["what"] == "app/\\udcff.py"
    for text in (markdown.render(result), terminal.render(result, name="\udcff")):
        assert "app/\\udcff.py" in text
        text.encode("utf-8")


@given(st.text(max_size=60))
def test_any_text_stays_in_its_cell(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {prose(text)} | {code(text or 'x')} |\n"
    tokens = READER.parse(table)
    assert _row_widths(tokens) == [[2, 2]]
    inside = [child.type for token in tokens for child in token.children or []]
    assert set(inside) <= {"text", "code_inline", "text_special"}


@given(st.text(max_size=60))
def test_printable_text_is_one_harmless_line(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode("utf-8")


def test_only_web_addresses_become_links() -> None:
    assert link("a", "https://example.org/b") == "[a](<https://example.org/b>)"
    assert link("a", "javascript:alert(1)") == "a (`javascript:alert(1)`)"
