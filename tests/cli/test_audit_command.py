"""`evenkeel audit` as a user meets it: what is printed where, which files are written, which status ends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

DAY = ("--date", "2026-02-04")


def _snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    }


def test_json_on_stdout_is_clean_and_the_same_every_time(evenkeel: Run, backend: Path) -> None:
    before = _snapshot(backend)
    first = evenkeel("audit", backend, "--format", "json", *DAY)
    warm = evenkeel("audit", backend, "--format", "json", *DAY)
    cold = evenkeel("audit", backend, "--format", "json", "--no-cache", "--jobs", "1", *DAY)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == warm.stdout == cold.stdout
    data = json.loads(first.stdout)
    assert data["date"] == "2026-02-04"
    rules = {each["rule"] for category in data["categories"] for each in category["findings"]}
    assert "blocking-io-in-async" in rules
    assert _snapshot(backend) == before


def test_the_summary_names_findings_scores_and_what_was_done(evenkeel: Run, backend: Path) -> None:
    result = evenkeel("audit", backend, *DAY)
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("Audit of tiny, 2026-02-04", "Runtime Performance", "blocking-io-in-async", "api.py:16",
                  "[x] Stack discovered", "[x] All three workers ran in parallel and finished",
                  "[ ] Tracker task created: not asked for"):  # fmt: skip
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_markdown_on_stdout(evenkeel: Run, backend: Path) -> None:
    result = evenkeel("audit", backend, "--format", "markdown", *DAY)
    assert result.stdout.startswith("# Persistence & Performance Audit Report - 2026-02-04\n")
    assert result.returncode == 0


def test_files_by_suffix_and_the_summary_beside_them(evenkeel: Run, backend: Path, tmp_path: Path) -> None:
    outputs = ("--output", tmp_path / "r.md", "--output", tmp_path / "r.json", "--output", tmp_path / "r.txt")
    result = evenkeel("audit", backend, *outputs, *DAY)
    assert result.returncode == 0
    assert "Audit of tiny" in result.stdout
    assert (tmp_path / "r.md").read_text().startswith("# Persistence")
    assert json.loads((tmp_path / "r.json").read_text())["schema_version"] == "1"
    assert (tmp_path / "r.txt").read_text().startswith("Audit of tiny, 2026-02-04\n")
    quiet = evenkeel("audit", backend, "--quiet", "--output", tmp_path / "q", "--format", "json", *DAY)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (tmp_path / "q").read_text() == (tmp_path / "r.json").read_text()


@pytest.mark.parametrize(("level", "status"), [("critical", 0), ("high", 1), ("low", 1)])
def test_fail_on(evenkeel: Run, backend: Path, level: str, status: int) -> None:
    result = evenkeel("audit", backend, "--fail-on", level, "--format", "json", *DAY)
    assert result.returncode == status
    json.loads(result.stdout)
    assert (f"at or above {level}" in result.stderr) is bool(status)


def test_select_and_ignore_by_slug_and_category(evenkeel: Run, backend: Path) -> None:
    def rules(*options: str) -> set[str]:
        data = json.loads(evenkeel("audit", backend, "--format", "json", *options).stdout)
        return {each["rule"] for category in data["categories"] for each in category["findings"]}

    assert rules("--select", "blocking-io-in-async") == {"blocking-io-in-async"}
    assert rules("--select", "query-efficiency,blocking-io-in-async") >= {"blocking-io-in-async"}
    assert "blocking-io-in-async" not in rules("--ignore", "blocking-io-in-async")
    assert rules("--ignore", "runtime-performance", "--ignore", "query-efficiency,transaction-correctness") == set()


def test_settings_of_the_project_count_and_the_command_line_wins(evenkeel: Run, backend: Path) -> None:
    (backend / "evenkeel.toml").write_text('fail-on = "high"\nexclude = ["none/"]\n')
    assert evenkeel("audit", backend, "--quiet").returncode == 1
    assert evenkeel("audit", backend, "--quiet", "--fail-on", "critical").returncode == 0
    (backend / "evenkeel.toml").write_text('exclude = ["api.py"]\n')
    nothing = evenkeel("audit", backend)
    assert nothing.returncode == 2
    assert "no source file that evenkeel audits" in nothing.stderr
    (backend / "evenkeel.toml").write_text("exclud = []\n")
    wrong = evenkeel("audit", backend)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "evenkeel.toml: exclud is not a known setting. Did you mean exclude?" in wrong.stderr


def test_workers_that_time_out_are_failed_categories_and_the_run_says_so(evenkeel: Run, backend: Path) -> None:
    result = evenkeel("audit", backend, "--timeout", "0.000001", "--format", "json", *DAY)
    assert result.returncode == 2
    data = json.loads(result.stdout)
    assert [each["status"] for each in data["categories"]] == ["failed"] * 3
    assert data["overall_score"] is None
    assert "Query Efficiency was not audited: timed out" in result.stderr


def test_the_file_tracker_writes_one_task_outside_the_tree(evenkeel: Run, backend: Path, tmp_path: Path) -> None:
    result = evenkeel("audit", backend, "--tracker", "file", "--tracker-dir", tmp_path / "tasks", *DAY)
    (task,) = (tmp_path / "tasks").iterdir()
    assert "- [x] Tracker task created: this task" in task.read_text()
    assert "[x] Tracker task created: Persistence & Performance Audit: 2026-02-04 in" in " ".join(result.stdout.split())


def test_names_that_ascii_cannot_say_are_printed_all_the_same(evenkeel: Run, backend: Path) -> None:
    (backend / "api.py").rename(backend / "größe.py")
    for form in ("json", "markdown", "terminal"):
        result = evenkeel("audit", backend, "--format", form, env={"PYTHONIOENCODING": "ascii"})
        assert (result.returncode, result.stderr) == (0, "")
        assert "größe.py" in result.stdout
