"""The baseline: findings that were there stay known through edits, moves and reformatting; new ones are reported."""

from __future__ import annotations

import json as stdlib_json
from pathlib import Path

import msgspec
import pytest

from evenkeel.audit.baseline import Baseline, compare, entry_of, read_baseline, rendered, write_baseline
from evenkeel.audit.model.finding import Gap
from evenkeel.audit.model.result import AuditResult, BaselineEntry
from evenkeel.audit.report import json, markdown, terminal
from evenkeel.kernel.errors import ConfigurationError, UsageError
from tests.habits.conftest import Audit, Run, append, change

NEW = """

async def nap() -> None:
    time.sleep(2)
"""
REFORMATTED = """
import time

import requests


async def pull(
    url: str,
) -> str:
    time.sleep( 1 )
    return requests.get(
        url,
    ).text


class Worker:
    async def run(
        self, urls: list[str]
    ) -> list[str]:
        return [
            fetch( url, )
            for url in urls
        ]


def fetch(url: str) -> str:
    return requests.get(url).text
"""


def _known(result: AuditResult) -> Baseline:
    return Baseline("b.json", tuple(entry_of(each) for each in result.findings))


def _stale(result: AuditResult) -> tuple[BaselineEntry, ...]:
    assert result.view is not None
    return result.view.stale


def test_fifty_lines_above_another_file_another_format_and_it_is_still_the_same(audited: Audit, tree: Path) -> None:
    first = audited()
    assert len(first.findings) == 3
    (tree / "app/jobs.py").unlink()
    (tree / "app/work").mkdir()
    (tree / "app/work/__init__.py").write_text("")
    (tree / "app/work/pull.py").write_text('""" """\n' + "# a line\n" * 50 + REFORMATTED)
    second = audited(baseline=_known(first))
    assert second.findings == ()
    assert second.view is not None
    assert (second.view.known, second.view.stale) == (3, ())
    everything = audited()
    assert second.overall_score == everything.overall_score
    assert {each.line for each in everything.findings}.isdisjoint({each.line for each in first.findings})


def test_new_ones_are_reported_and_mended_ones_are_stale(audited: Audit, tree: Path) -> None:
    known = _known(audited())
    change(tree / "app/jobs.py", "    time.sleep(1)\n", "")
    append(tree / "app/jobs.py", NEW)
    result = audited(baseline=known)
    assert [(each.rule, each.function) for each in result.findings] == [("sync-sleep-in-async", "app.jobs.nap")]
    assert [(each.rule, each.function) for each in _stale(result)] == [("sync-sleep-in-async", "pull")]
    assert "beside 2 that are not reported" in result.summary
    text = markdown.render(result)
    assert "- Not reported: 2 findings known from the baseline b.json." in text
    assert "## Stale Baseline Entries" in text
    assert "1 baseline entry is stale: `evenkeel baseline prune` removes" in terminal.render(
        result, name="t", width=200
    )
    assert stdlib_json.loads(json.render(result))["view"]["known"] == 2


def test_equal_ones_are_counted_and_the_one_of_another_file_is_the_new_one(audited: Audit, tree: Path) -> None:
    known = _known(audited())
    (tree / "app/a_copy.py").write_text((tree / "app/jobs.py").read_text())
    result = audited(baseline=known)
    assert {each.file for each in result.findings} == {"app/a_copy.py"}
    assert len(result.findings) == 3
    assert _stale(result) == ()


def test_what_was_not_looked_at_is_not_stale(audited: Audit) -> None:
    result = audited()
    entries = (
        BaselineEntry("gone.py", "f", "n-plus-one", "0" * 16),
        BaselineEntry("bad.py", "f", "long-transaction", "1" * 16),
    )
    assert len(compare(entries, result).stale) == 2
    assert compare(entries, result, {"n-plus-one", "long-transaction"}).stale == ()
    unread = msgspec.structs.replace(result, gaps=(Gap("unparsed", "bad.py", "syntax"),))
    assert compare(entries, unread).stale == entries[:1]
    assert compare(entries, unread).kept == entries[1:]


def test_the_file_is_sorted_and_has_one_finding_a_line(audited: Audit, tmp_path: Path) -> None:
    entries = [entry_of(each) for each in audited().findings]
    text = rendered(entries)
    assert text == rendered(reversed(entries))
    lines = text.splitlines()
    assert (lines[0], lines[1], lines[2], lines[-1]) == ("{", '  "schema_version": "1",', '  "findings": [', "}")
    assert [stdlib_json.loads(line.strip().rstrip(","))["file"] for line in lines[3:-2]] == ["app/jobs.py"] * 3
    write_baseline(tmp_path / "b.json", entries)
    assert sorted(map(str, read_baseline(tmp_path / "b.json").entries)) == sorted(map(str, entries))
    assert rendered([]) == '{\n  "schema_version": "1",\n  "findings": []\n}\n'
    assert (
        stdlib_json.loads(rendered([BaselineEntry("\udcff.py", "f", "r", "1")]))["findings"][0]["file"] == "\\udcff.py"
    )


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, UsageError, "does not exist. `evenkeel baseline create`"),
        (b"<<<<<<< HEAD\n", ConfigurationError, "is not a baseline: .* Resolve merge conflicts"),
        (b"[]", ConfigurationError, "is not a baseline: Expected `object`"),
        (b'{"schema_version": "9", "findings": []}', ConfigurationError, "baseline of version '9'"),
        (b'{"schema_version": "1", "findings": [{"file": 1}]}', ConfigurationError, r"findings\[0\].file"),
        (b"\xff", ConfigurationError, "is not a baseline"),
    ],
)
def test_a_file_that_is_none_says_what_to_do(
    tmp_path: Path, content: bytes | None, error: type[Exception], words: str
) -> None:
    path = tmp_path / "b.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        read_baseline(path)


def test_create_update_prune_as_a_user_runs_them(evenkeel: Run, tree: Path) -> None:
    file = tree / "evenkeel-baseline.json"
    created = evenkeel("baseline", "create")
    assert (created.returncode, created.stderr) == (0, "")
    assert (
        "evenkeel-baseline.json: 3 findings known from now on. Use it with `evenkeel audit . --baseline"
        in created.stdout
    )
    again = evenkeel("baseline", "create")
    assert again.returncode == 2
    assert "is there already. `evenkeel baseline update` brings it up to date" in again.stderr
    audit = evenkeel("audit", ".", "--baseline", file, "--fail-on", "low", "--format", "concise")
    assert (audit.returncode, audit.stderr) == (0, "")
    assert audit.stdout.startswith("No findings; overall")
    assert "Not reported: 3 findings known from the baseline" in audit.stdout

    change(tree / "app/jobs.py", "    time.sleep(1)\n", "\n" * 30)
    append(tree / "app/jobs.py", NEW)
    first = file.read_text()
    pruned = evenkeel("baseline", "prune", ".")
    assert pruned.stdout == "evenkeel-baseline.json: 2 kept, 1 removed, 1 new finding not added.\n"
    assert {line.rstrip(",") for line in file.read_text().splitlines()} < {
        line.rstrip(",") for line in first.splitlines()
    }
    updated = evenkeel("baseline", "update")
    assert "2 kept, 0 removed, 1 added." in updated.stdout
    assert evenkeel("audit", ".", "--baseline", file, "--fail-on", "low", "--quiet").returncode == 0
    same = file.read_bytes()
    evenkeel("baseline", "update", "--quiet")
    assert file.read_bytes() == same


def test_the_settings_can_name_it(evenkeel: Run, tree: Path) -> None:
    (tree / "evenkeel.toml").write_text('baseline = "known.json"\n')
    missing = evenkeel("audit", ".")
    assert missing.returncode == 2
    assert "known.json does not exist. `evenkeel baseline create` writes a baseline." in missing.stderr
    assert evenkeel("baseline", "create").returncode == 0
    assert (tree / "known.json").is_file()
    assert evenkeel("audit", ".", "--quiet", "--fail-on", "low").returncode == 0
    assert evenkeel("audit", ".", "--quiet", "--fail-on", "low", "--no-baseline").returncode == 1


def test_an_audit_that_did_not_finish_leaves_the_file_alone(evenkeel: Run, tree: Path) -> None:
    evenkeel("baseline", "create", "--quiet")
    before = (tree / "evenkeel-baseline.json").read_bytes()
    result = evenkeel("baseline", "update", "--timeout", "0.000001", "--no-cache")
    assert result.returncode == 2
    assert "Not everything was audited" in result.stderr
    assert (tree / "evenkeel-baseline.json").read_bytes() == before


def test_rules_that_are_not_selected_keep_their_entries(evenkeel: Run, tree: Path) -> None:
    evenkeel("baseline", "create", "--quiet")
    before = (tree / "evenkeel-baseline.json").read_text()
    (tree / "evenkeel.toml").write_text('select = ["query-efficiency"]\n')
    assert "3 kept, 0 removed, 0 added" in evenkeel("baseline", "update").stdout
    assert (tree / "evenkeel-baseline.json").read_text() == before
