"""Chinese is complete: every message of rules and reports has a template. A new message without one fails here.

Mended by a line in `src/evenkeel/audit/wording/zh/rules.toml` (or `report.toml`): English template = Chinese text.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.context import build_context
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.result import CategoryResult
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.report.formats import RENDERERS
from evenkeel.audit.report.localised import localised, localised_finding
from evenkeel.audit.report.material import Material
from evenkeel.audit.rules import all_rules
from evenkeel.audit.wording import wording_of
from evenkeel.audit.wording.templates import pieces
from evenkeel.audit.workers import WorkerOptions, run_workers
from tests.audit_report.golden_result import golden_result
from tests.rules.trees import examples, split_files

AUDIT = Path(__file__).parents[2] / "src/evenkeel/audit"
SAMPLES = Path(__file__).parents[1] / "rules/samples"
TABLES: dict[str, dict[str, str]] = {}
for _path in sorted((AUDIT / "wording/zh").glob("*.toml")):
    for _name, _table in tomllib.loads(_path.read_text(encoding="utf-8")).items():
        TABLES.setdefault(_name, {}).update(_table)
ZH = wording_of("zh")
PROSE = re.compile(r"[a-z]{3,} [a-z]{2,}|^ [a-z]{3,} ")
NO_MESSAGES = frozenset({"on success only", "handed over", "yield from", " async for ", "()[...]` loads every `"})
ENGLISH_WORDS = re.compile(r"(?:\b[a-z]{2,}\b[ ,]+){2,}\b[a-z]{2,}")


def _prose(path: Path) -> Iterator[str]:
    """The fixed text of every string of a file that reads like a sentence; docstrings and rule titles left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    apart = {id(each) for node in ast.walk(tree) for each in _apart(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield from (each for each in pieces(node.value) if PROSE.search(each) and each not in NO_MESSAGES)


def _apart(node: ast.AST) -> Iterator[ast.AST]:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
        yield body[0].value
    if isinstance(node, ast.keyword) and node.arg in {"title", "hint"}:
        yield node.value
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "compile":
        yield from ast.walk(node)


def _said(*tables: str) -> str:
    return "\0".join("\0".join(pieces(each)) for name in tables for each in TABLES.get(name, {}))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.slug)
def test_every_text_of_a_rule_has_a_template(rule: Rule) -> None:
    path = AUDIT / "rules" / rule.category.replace("-", "_") / f"{rule.slug.replace('-', '_')}.py"
    known = _said("shared", rule.slug)
    assert [each for each in _prose(path) if each not in known] == [], "write it into wording/zh/rules.toml"


@pytest.mark.parametrize("path", sorted((AUDIT / "model").glob("*.py")), ids=lambda path: path.stem)
def test_every_text_of_the_model_has_a_template(path: Path) -> None:
    known = _said(*TABLES)
    assert [each for each in _prose(path) if each not in known] == [], "write it into wording/zh/rules.toml"


def _findings(root: Path, rule: Rule) -> Iterator[Finding]:
    """What a rule finds in all its examples and samples, each in a tree of its own; needs-context included."""
    trees = [each.files for each in examples(rule.page) if each.kind == "flags"]
    trees += [split_files(each.read_text()) for each in sorted((SAMPLES / rule.slug).glob("*.py"))]
    for number, files in enumerate(trees):
        for name, text in files.items():
            path = root / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        context = build_context(discover(root / str(number)), {})
        options = WorkerOptions(select=frozenset({rule.slug}), use_cache=False, jobs=1)
        yield from (each for report in run_workers(root / str(number), context, options) for each in report.findings)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.slug)
def test_every_finding_of_the_samples_is_said_in_chinese(rule: Rule, tmp_path: Path) -> None:
    found = list(_findings(tmp_path, rule))
    assert found
    for each in found:
        own = localised_finding(msgspec.structs.replace(each, rule=rule.slug), ZH)
        texts = {each.issue: own.issue, each.recommendation: own.recommendation, each.settled_by: own.settled_by}
        for english, text in texts.items():
            prose = re.sub(r"`[^`]*`", "", text)
            assert not english or re.search(r"[\u4e00-\u9fff]", prose), english
            assert not ENGLISH_WORDS.search(prose), f"{english}\n{text}"


def _material() -> Material:
    """The golden result with findings that say nothing: their texts are the tests', of no rule."""
    result = golden_result()
    categories = tuple(_silent(each) for each in result.categories)
    silent = msgspec.structs.replace(result, categories=categories, gaps=())
    return Material(localised(silent, ZH), "job-board", say=ZH, stated=silent)


def _silent(category: CategoryResult) -> CategoryResult:
    kinds = {
        name: tuple(
            msgspec.structs.replace(each, issue="`x`", recommendation="`y`", settled_by="`z`")
            for each in getattr(category, name)
        )
        for name in ("findings", "advisories", "unsettled")
    }
    return msgspec.structs.replace(category, **kinds)


@pytest.mark.parametrize("form", sorted(set(RENDERERS) - {"json"}))
def test_no_report_is_left_in_english(form: str) -> None:
    text = RENDERERS[form](_material())
    for pattern in (r"<script>.*?</script>|<style>.*?</style>|<pre.*?</pre>|<code>.*?</code>|<svg.*?</svg>|<title>.*?</title>",
                    r"<[^>]*>", r"`[^`\n]*`"):  # fmt: skip
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    titles = " ".join(each.title for each in golden_result().sources)  # of pages, which stay as they are
    assert {each.group(0) for each in ENGLISH_WORDS.finditer(text) if each.group(0) not in titles} == set()


def test_json_is_the_same_in_every_language() -> None:
    result = golden_result()
    chinese = Material(localised(result, ZH), "job-board", say=ZH, stated=result)
    assert RENDERERS["json"](chinese) == RENDERERS["json"](Material(result, "job-board"))
