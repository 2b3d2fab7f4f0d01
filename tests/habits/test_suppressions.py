"""Suppressions by comment and by setting: what they reach, and what is said of those that reach nothing."""

from __future__ import annotations

import json as stdlib_json
from pathlib import Path

import pytest

from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.report import json, markdown, terminal
from evenkeel.kernel.errors import ConfigurationError, UsageError
from tests.habits.conftest import Audit, Run, change

SLEEP = "sync-sleep-in-async"
BLOCKING = "blocking-io-in-async"


def _reported(result: AuditResult) -> list[tuple[str, int]]:
    return sorted((each.rule, each.line) for each in result.findings)


def _suppressed(result: AuditResult) -> list[tuple[str, int, str]]:
    return sorted((each.finding.rule, each.finding.line, each.reason) for each in result.suppressed)


def _notices(result: AuditResult) -> list[str]:
    return [f"{each.file}:{each.line}: {each.what}" for each in result.notices]


def test_without_comments_everything_is_reported(audited: Audit) -> None:
    result = audited()
    assert _reported(result) == [(BLOCKING, 9), (BLOCKING, 14), (SLEEP, 8)]
    assert (_suppressed(result), _notices(result)) == ([], [])


def test_on_the_line(audited: Audit, tree: Path) -> None:
    change(tree / "app/jobs.py", "time.sleep(1)", f"time.sleep(1)  # evenkeel: ignore[{SLEEP}] the tests want it")
    result = audited()
    assert _reported(result) == [(BLOCKING, 9), (BLOCKING, 14)]
    assert _suppressed(result) == [(SLEEP, 8, "the tests want it")]
    assert result.suppressed[0].by == "comment at app/jobs.py:8"
    assert _notices(result) == []


def test_on_a_line_of_its_own_above_and_not_further(audited: Audit, tree: Path) -> None:
    comment = f"# evenkeel: ignore[{SLEEP}, {BLOCKING}]: known\n    # and more words\n\n    "
    change(tree / "app/jobs.py", "    time.sleep", f"    {comment}time.sleep")
    result = audited()
    assert _reported(result) == [(BLOCKING, 12), (BLOCKING, 17)]
    assert _suppressed(result) == [(SLEEP, 11, "known")]
    assert _notices(result) == [f"app/jobs.py:8: unused suppression: {BLOCKING} finds nothing here. Remove it."]


def test_a_trailing_comment_does_not_reach_the_next_line(audited: Audit, tree: Path) -> None:
    change(tree / "app/jobs.py", "time.sleep(1)", f"time.sleep(1)  # evenkeel: ignore[{BLOCKING}]")
    assert _reported(audited()) == [(BLOCKING, 9), (BLOCKING, 14), (SLEEP, 8)]


def test_a_statement_of_many_lines_is_one_statement(audited: Audit, tree: Path) -> None:
    call = f"requests.get(\n        url,  # evenkeel: ignore[{BLOCKING}] on purpose\n    ).text\n\n\nclass"
    change(tree / "app/jobs.py", "requests.get(url).text\n\n\nclass", call)
    assert _reported(audited()) == [(BLOCKING, 16), (SLEEP, 8)]


def test_a_whole_file(audited: Audit, tree: Path) -> None:
    path = tree / "app/jobs.py"
    path.write_text(f"# evenkeel: ignore-file[{BLOCKING}] batch code\n{path.read_text()}")
    (tree / "app/other.py").write_text(path.read_text().split("\n", 1)[1])
    result = audited()
    assert sorted((each.file, each.rule) for each in result.findings) == [
        ("app/jobs.py", SLEEP), ("app/other.py", BLOCKING), ("app/other.py", BLOCKING), ("app/other.py", SLEEP),
    ]  # fmt: skip
    assert _suppressed(result) == [(BLOCKING, 10, "batch code"), (BLOCKING, 15, "batch code")]


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("ignore", "a suppression without a rule suppresses nothing. Write `evenkeel: ignore[slug] reason`"),
        ("ignore[]", "a suppression without a rule suppresses nothing."),
        ("ignore[sync-sleep]", "'sync-sleep', which is no rule. Did you mean sync-sleep-in-async?"),
        ("ignore[qqqq] x", "'qqqq', which is no rule. `evenkeel rules` lists them."),
        ("ignore everything", "a suppression without a rule suppresses nothing."),
        ("off", "does not understand: 'off'. Write"),
    ],
)
def test_what_cannot_be_used_says_what_to_write(audited: Audit, tree: Path, comment: str, words: str) -> None:
    change(tree / "app/jobs.py", "time.sleep(1)", f"time.sleep(1)  # evenkeel: {comment}")
    result = audited()
    assert len(result.findings) == 3
    (notice,) = _notices(result)
    assert notice.startswith("app/jobs.py:8: ")
    assert words in notice


def test_a_rule_that_was_not_run_is_not_called_unused(audited: Audit, tree: Path) -> None:
    change(tree / "app/jobs.py", "def fetch", f"# evenkeel: ignore[{SLEEP}]\ndef fetch")
    assert len(_notices(audited())) == 1
    assert _notices(audited(AuditSettings(ignore=(SLEEP,)))) == []
    assert _notices(audited(AuditSettings(select=("query-efficiency",)))) == []


def test_per_file_ignores(audited: Audit) -> None:
    settings = AuditSettings(per_file_ignores={"app/*.py": ("runtime-performance",), "other/": (SLEEP,)})
    result = audited(settings)
    assert _reported(result) == []
    assert {each.by for each in result.suppressed} == {"per-file-ignores: app/*.py"}
    assert result.overall_score == 10.0


def test_a_wrong_per_file_ignore_names_the_setting(audited: Audit) -> None:
    with pytest.raises(
        UsageError, match=r"per-file-ignores, 'a\.py': There is no rule or category 'n-plus'.*n-plus-one"
    ):
        audited(AuditSettings(per_file_ignores={"a.py": ("n-plus",)}))
    with pytest.raises(ConfigurationError, match="not a pattern"):
        audited(AuditSettings(per_file_ignores={"a/**b[": ("n-plus-one",), "!": ()}))


def test_settings_in_the_file_of_the_project(evenkeel: Run, tree: Path) -> None:
    (tree / "evenkeel.toml").write_text(f'[per-file-ignores]\n"app/**" = ["{SLEEP}", "{BLOCKING}"]\n')
    result = evenkeel("audit", ".", "--format", "json", "--fail-on", "low")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(stdlib_json.loads(result.stdout)["suppressed"]) == 3
    (tree / "evenkeel.toml").write_text('[per-file-ignores]\n"app/**" = "sleep"\n')
    wrong = evenkeel("audit", ".")
    assert wrong.returncode == 2
    assert "evenkeel.toml: per-file-ignores[...]: Expected `array`, got `str`" in wrong.stderr


def test_reports_count_them_and_list_them_apart(audited: Audit, tree: Path) -> None:
    change(tree / "app/jobs.py", "time.sleep(1)", f"time.sleep(1)  # evenkeel: ignore[{SLEEP}] a|b `c`")
    change(tree / "app/jobs.py", "def fetch", "# evenkeel: what?\ndef fetch")
    result = audited()
    text = markdown.render(result)
    assert "## Suppressed\n" in text
    assert "| `comment at app/jobs.py:8` | a\\|b `c` |" in text
    assert "## Notices\n" in text
    assert "1 suppressed" in text
    shown = terminal.render(result, name="tree")
    assert "Apart, at no cost: 1 suppressed finding" in shown
    assert "app/jobs.py:17: a comment that evenkeel does not understand" in shown
    data = stdlib_json.loads(json.render(result))
    assert [each["finding"]["rule"] for each in data["suppressed"]] == [SLEEP]
    assert [each["line"] for each in data["notices"]] == [17]


def test_a_warm_run_says_the_same(audited: Audit, tree: Path) -> None:
    change(tree / "app/jobs.py", "time.sleep(1)", f"time.sleep(1)  # evenkeel: ignore[{SLEEP}, {BLOCKING}]")
    first = audited()
    assert len(first.suppressed) == len(first.notices) == 1
    assert json.render(audited()) == json.render(first) == json.render(audited(use_cache=False))
