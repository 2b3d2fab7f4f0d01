"""The formats that other tools read, and those for a terminal: whole texts, and attempts to break out of them."""

from __future__ import annotations

import json as stdlib_json
import os
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.commands.output import harmless
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.result import AuditResult, Notice
from evenkeel.audit.report import concise, full, github, gitlab, sarif
from evenkeel.audit.report.formats import RENDERERS, SHOWS_RULES, Material, build_material, render
from evenkeel.audit.rules import all_rules
from tests.audit_report.golden_result import golden_result
from tests.habits import sarif_shape
from tests.habits.conftest import Audit, Run, change

GOLDEN = Path(__file__).parent / "golden"
EVIL = "app/a,b:c%0A::set-output name=x::y\n##[error]z.py"


def check(name: str, text: str) -> None:
    """Compare with the golden file of that name; `EVENKEEL_GOLDEN=write` writes it."""
    path = GOLDEN / name
    if os.environ.get("EVENKEEL_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def _plain() -> Material:
    return Material(golden_result(), "job-board", rules=all_rules(), version="1.2.3")


def _evil(**changes: Any) -> AuditResult:
    result = golden_result()
    category = result.categories[0]
    findings = tuple(msgspec.structs.replace(each, **changes) for each in category.findings)
    changed = msgspec.structs.replace(category, findings=findings)
    return msgspec.structs.replace(result, categories=(changed, *result.categories[1:]))


@pytest.mark.parametrize("form", ["concise", "full", "github", "gitlab"])
def test_golden(form: str) -> None:
    check(f"{form}.txt", render(form, _plain()))


def test_every_format_is_written_and_the_same_twice() -> None:
    for form in RENDERERS:
        text = render(form, _plain())
        assert text.endswith("\n")
        assert text == render(form, _plain())


def test_full_shows_code_and_way(audited: Audit, tree: Path) -> None:
    change(
        tree / "app/jobs.py",
        "return requests.get(url).text\n\n\nclass",
        "return requests.get(\n\t\turl\n    ).text\n\n\nclass",
    )
    text = full.render(build_material(audited(), tree, (), "1"))
    assert "  >     9 |     return requests.get(\n  >    10 |         url\n" in text
    assert (
        "  1. app/jobs.py:16 Worker.run\n       return [fetch(url) for url in urls]\n  2. app/jobs.py:20 fetch\n"
        in text
    )


def test_paths_are_those_of_the_reader_and_of_the_repository(
    audited: Audit, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = build_material(audited(), tree, all_rules(), "1")
    monkeypatch.chdir(tree.parent)
    assert concise.render(material).startswith("tree/app/jobs.py:8: ")
    monkeypatch.chdir(tree / "app")
    assert concise.render(material).startswith("app/jobs.py:8: ")
    assert "file=app/jobs.py,line=8" in github.render(material)
    (tree.parent / ".git").mkdir()
    assert "file=tree/app/jobs.py,line=8" in github.render(material)
    assert {each["location"]["path"] for each in stdlib_json.loads(gitlab.render(material))} == {"tree/app/jobs.py"}
    run = stdlib_json.loads(sarif.render(material))["runs"][0]
    assert run["automationDetails"]["id"] == "evenkeel/tree/"
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "tree/app/jobs.py"


def _validated(text: str) -> sarif_shape.Log:
    schema = os.environ.get("EVENKEEL_SARIF_SCHEMA")
    if schema:
        content = stdlib_json.loads(Path(schema).read_text(encoding="utf-8"))
        jsonschema.Draft4Validator(content).validate(stdlib_json.loads(text))
    return msgspec.json.decode(text, type=sarif_shape.Log)


def test_sarif_has_the_shape_of_the_standard(audited: Audit, tree: Path) -> None:
    log = _validated(sarif.render(build_material(audited(), tree, all_rules(), "1.2.3")))
    run = log.runs[0]
    assert {each.id for each in run.tool.driver.rules} == {each.slug for each in all_rules()}
    assert [each.rule_id for each in run.results] == [run.tool.driver.rules[each.rule_index].id for each in run.results]
    fetched = next(each for each in run.results if each.code_flows)
    steps = [
        each.location.physical_location.region.start_line for each in fetched.code_flows[0].thread_flows[0].locations
    ]
    assert steps == [14, 18]
    region = fetched.locations[0].physical_location.region
    assert (region.start_line, region.start_column, region.end_column) == (14, 9, 44)
    prints = [each.partial_fingerprints["primaryLocationLineHash"] for each in run.results]
    assert len(set(prints)) == len(prints) == 3


def test_sarif_of_everything_at_once_has_it_too() -> None:
    log = _validated(sarif.render(_plain()))
    results = log.runs[0].results
    assert {each.level for each in results} <= {"error", "warning", "note"}
    assert any("app/n%C3%A4me.py" in each.locations[0].physical_location.artifact_location.uri for each in results)
    notes = [each.message.text for each in log.runs[0].invocations[0].tool_execution_notifications]
    assert any("timed out after 300 s" in each for each in notes)
    assert any("app/broken" in each for each in notes)
    _validated(sarif.render(Material(_evil(file=EVIL), "x", rules=all_rules(), version="1")))


@pytest.mark.timeout(200)  # the published schema, where it is named, takes its time over 5,000 results
def test_sarif_keeps_what_github_keeps() -> None:
    finding = golden_result().categories[0].findings[0]
    many = tuple(
        msgspec.structs.replace(finding, line=line, severity="LOW" if line % 2 else "HIGH", fingerprint=f"{line:016x}")
        for line in range(1, 6001)
    )
    result = golden_result()
    changed = msgspec.structs.replace(result.categories[0], findings=many)
    result = msgspec.structs.replace(result, categories=(changed, *result.categories[1:]))
    run = _validated(sarif.render(Material(result, "x", rules=all_rules(), version="1"))).runs[0]
    assert len(run.results) == 5000
    assert sum(each.level == "error" for each in run.results) == 3000
    assert any("are left out" in each.message.text for each in run.invocations[0].tool_execution_notifications)


@pytest.mark.parametrize("part", ["file", "issue", "recommendation", "function"])
def test_annotations_stay_one_command_each(part: str) -> None:
    result = _evil(**{part: EVIL})
    lines = github.render(Material(result, "x")).splitlines()
    assert len(lines) == len(result.findings) + 1  # and the failed category
    for line in lines:
        assert line.count("::") >= 2
        head, properties_and_text = line[2:].split(" ", 1)
        assert head in {"error", "warning", "notice"}
        properties = properties_and_text.split("::", 1)[0]
        assert {each.partition("=")[0] for each in properties.split(",")} <= {"file", "line", "endLine", "title"}
        assert "##[" not in line


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_leaves_a_command(value: str, message: str) -> None:
    line = github.command("error", {"file": value, "line": "1"}, message)
    assert len(line.splitlines()) <= 1 or set(line) & set("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    assert "\n" not in line
    assert "\r" not in line
    assert "##[" not in line
    properties = line.removeprefix("::error file=").split("::", 1)[0]
    assert properties.endswith(",line=1")
    assert properties.count(",") == 1
    assert ":" not in properties


def test_text_in_the_log_of_a_runner_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "  ::error::x\nfine :: text\n::add-mask::y\na ##[error]b ##vso[task]c\n"
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("TF_BUILD", raising=False)
    assert harmless(text) == text
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shown = harmless(text)
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert "fine :: text" in shown


def test_a_hostile_file_name_in_a_runner(evenkeel: Run, tree: Path) -> None:
    (tree / "app/jobs.py").rename(tree / "::error::pwned ##[error].py")
    (tree / "::stop-commands::x.py").write_text("import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n")
    for form in ("concise", "full", "terminal", "markdown", "github"):
        result = evenkeel("audit", ".", "--format", form, GITHUB_ACTIONS="true")
        assert result.returncode == 0
        lines = [line for line in result.stdout.splitlines() if line.lstrip().startswith("::")]
        assert len(lines) == (4 if form == "github" else 0)
        assert all(line.startswith(("::error file=", "::warning file=")) for line in lines)
        assert "##[" not in result.stdout


def test_gitlab_has_what_gitlab_needs() -> None:
    items = stdlib_json.loads(gitlab.render(_plain()))
    prints = [each["fingerprint"] for each in items]
    assert len(set(prints)) == len(prints) == 5
    for each in items:
        assert set(each) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert each["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert not each["location"]["path"].startswith(("./", "/"))
        assert each["location"]["lines"]["begin"] >= 1
    assert [each["severity"] for each in items].count("info") == 1


def test_notices_reach_every_log(audited: Audit) -> None:
    result = msgspec.structs.replace(audited(), notices=(Notice("a.py", 3, "unused"),))
    material = Material(result, "x")
    assert "a.py:3: unused\n" in concise.render(material)
    assert "a.py:3: unused\n" in full.render(material)
    assert "::warning file=a.py,line=3,title=evenkeel::unused\n" in github.render(material)


def test_output_infers_the_format_by_suffix(evenkeel: Run, tree: Path) -> None:
    names = ["r.sarif", "r.html", "r.md", "r.json", "r.txt"]
    options = [option for name in names for option in ("--output", tree.parent / name)]
    assert evenkeel("audit", ".", "--quiet", *options).returncode == 0
    starts = {
        "r.sarif": '{\n  "$schema"',
        "r.html": "<!doctype html>",
        "r.md": "# Persistence",
        "r.json": '{\n  "schema_version"',
    }
    for name, start in starts.items():
        assert (tree.parent / name).read_text().startswith(start), name


def test_a_finding_without_a_way_has_no_flow(audited: Audit) -> None:
    found: list[Finding] = [each for each in audited().findings if len(each.path) <= 1]
    assert found
    data = stdlib_json.loads(sarif.render(Material(audited(), "x", rules=all_rules(), version="1")))
    assert sum("codeFlows" in each for each in data["runs"][0]["results"]) == 3 - len(found)


@pytest.mark.parametrize("form", sorted(RENDERERS.keys() - SHOWS_RULES))
def test_only_some_formats_need_the_rules(form: str) -> None:
    result = golden_result()
    assert render(form, Material(result, "job-board", rules=all_rules())) == render(form, Material(result, "job-board"))
