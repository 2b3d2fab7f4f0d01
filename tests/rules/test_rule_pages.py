"""Every rule's page is executed: `flags` blocks must be reported at exactly the marked lines, `passes` blocks not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.audit.model.rule import Rule
from evenkeel.audit.rules import all_rules
from tests.rules.trees import Example, audit_tree, examples, lines_of, marked, split_files

RULES = all_rules()
SAMPLES = Path(__file__).parent / "samples"
CASES = [
    pytest.param(rule, example, id=f"{rule.slug}-{example.kind}-{number}")
    for rule in RULES
    for number, example in enumerate(examples(rule.page))
]
SAMPLE_FILES = sorted(SAMPLES.glob("*/*.py"))


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_page_example(rule: Rule, example: Example, tmp_path: Path) -> None:
    found = lines_of(audit_tree(tmp_path, example.files, rule.slug))
    wanted = marked(example.files, "flagged")
    assert bool(wanted) == (example.kind == "flags"), "a flags block needs marks, a passes block must have none"
    assert found == wanted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_page_is_complete(rule: Rule) -> None:
    kinds = {each.kind for each in examples(rule.page)}
    assert kinds == {"flags", "passes"}
    for part in ("**Why it costs.**", "**Do instead.**", "**Leave it when**"):
        assert part in rule.page, f"{rule.slug}: the page lacks {part}"


@pytest.mark.parametrize("sample", SAMPLE_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_sample(sample: Path, tmp_path: Path) -> None:
    files = split_files(sample.read_text())
    found = lines_of(audit_tree(tmp_path, files, sample.parent.name))
    assert found == marked(files, "flagged", "false-alarm")
