"""Documents agree with the code: generated pages are fresh, commands exist, links lead somewhere, versions match."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evenkeel
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.rules import all_rules
from tests.meta.test_tree import ROOT, TRACKED, inside, text
from tools import reference

READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md" and not inside(path).startswith("tests/")]
RULES = all_rules()
TARGETS = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))


def code_blocks(document: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text(document), re.DOTALL)


def commands(document: Path) -> set[str]:
    """Targets named in code: blocks and `make target`."""
    code = "\n".join([*code_blocks(document), *re.findall(r"`([^`\n]+)`", text(document))])
    return set(re.findall(r"\bmake ([a-z-]+)", code))


def test_generated_pages_are_fresh() -> None:
    assert reference.stale(reference.generate()) == [], "run `make docs` and commit what it writes"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_code_and_page_of_a_rule_agree(rule: Rule) -> None:
    package = ROOT / "src" / "evenkeel" / "audit" / "rules" / rule.category.replace("-", "_")
    assert (package / f"{rule.slug.replace('-', '_')}.py").is_file()
    assert text(reference.TARGET / "rules" / f"{rule.slug}.md").splitlines()[2] == f"# {rule.title}"
    assert rule.page.strip().splitlines()[0].rstrip(".") == rule.title


def test_samples_belong_to_rules() -> None:
    samples = ROOT / "tests" / "rules" / "samples"
    assert {path.name for path in samples.glob("*/")} <= {rule.slug for rule in RULES}


@pytest.mark.parametrize("document", DOCUMENTS, ids=inside)
def test_commands_exist(document: Path) -> None:
    assert commands(document) <= TARGETS


@pytest.mark.parametrize("readme", READMES, ids=inside)
def test_the_two_commands_come_first(readme: Path) -> None:
    first = code_blocks(readme)[0].splitlines()
    assert [line.split("#")[0].split()[:2] for line in first[:2]] == [["make", "audit"], ["make", "test"]]


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = ([re.sub(r" *#.*", "", block) for block in code_blocks(readme)] for readme in READMES)
    assert english == chinese


@pytest.mark.parametrize("document", DOCUMENTS, ids=inside)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", text(document))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {evenkeel.__version__}" in text(ROOT / "CHANGELOG.md")
    assert f'\nversion = "{evenkeel.__version__}"' in text(ROOT / "pyproject.toml")
