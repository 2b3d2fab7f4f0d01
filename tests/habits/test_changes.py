"""`--diff REF` in real repositories: what changed, and which findings it touches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evenkeel.audit.changes import changes_since, parsed
from evenkeel.audit.model.result import AuditResult
from evenkeel.kernel.errors import UsageError
from tests.habits.conftest import Audit, Run, append, change

JOBS = "app/jobs.py"


def git(root: Path, *arguments: str) -> None:
    """Runs git with nobody's configuration."""
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(tree: Path) -> Path:
    """The tree, committed on a branch named main."""
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "first")
    return tree


def _places(result: AuditResult) -> list[tuple[str, int]]:
    return sorted((each.file, each.line) for each in result.findings)


def test_nothing_changed_nothing_reported(audited: Audit, repository: Path) -> None:
    result = audited(changes=changes_since(repository, "HEAD"))
    assert _places(result) == []
    assert result.view is not None
    assert (result.view.untouched, result.view.since) == (3, "HEAD")


def test_a_finding_on_a_changed_line(audited: Audit, repository: Path) -> None:
    change(repository / JOBS, "time.sleep(1)", "time.sleep(2)")
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == [(JOBS, 8)]
    git(repository, "commit", "-qam", "second")
    assert _places(audited(changes=changes_since(repository, "HEAD~1"))) == [(JOBS, 8)]
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == []


def test_a_changed_callee_touches_the_finding_of_its_caller(audited: Audit, repository: Path) -> None:
    change(repository / JOBS, "def fetch(url: str) -> str:\n    return requests.get(url).text",
           "def fetch(url: str) -> str:\n    return requests.get(url, timeout=3).text")  # fmt: skip
    assert _places(audited(changes=changes_since(repository, "main"))) == [(JOBS, 14)]


def test_new_files_count_whole_and_moved_ones_only_where_they_changed(audited: Audit, repository: Path) -> None:
    append(repository / JOBS, "# padding\n" * 40)
    git(repository, "commit", "-qam", "longer")
    git(repository, "mv", JOBS, "app/moved.py")
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == []
    change(repository / "app/moved.py", "time.sleep(1)", "time.sleep(2)")
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == [("app/moved.py", 8)]
    (repository / "app/new.py").write_text("import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n")
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == [("app/moved.py", 8), ("app/new.py", 5)]


def test_lines_taken_out_touch_those_around(audited: Audit, repository: Path) -> None:
    change(repository / JOBS, "    time.sleep(1)\n", "")
    assert _places(audited(changes=changes_since(repository, "HEAD"))) == [(JOBS, 8)]


def test_what_the_other_branch_did_meanwhile_is_not_ours(audited: Audit, repository: Path) -> None:
    git(repository, "checkout", "-qb", "ours")
    change(repository / JOBS, "time.sleep(1)", "time.sleep(2)")
    git(repository, "commit", "-qam", "ours")
    git(repository, "checkout", "-q", "main")
    change(
        repository / JOBS,
        "return requests.get(url).text\n\n\nclass",
        "return requests.get(url, timeout=1).text\n\n\nclass",
    )
    git(repository, "commit", "-qam", "theirs")
    git(repository, "checkout", "-q", "ours")
    assert _places(audited(changes=changes_since(repository, "main"))) == [(JOBS, 8)]


def test_a_folder_of_the_repository_and_names_that_git_quotes(repository: Path) -> None:
    strange = 'app/ä "b"\t\\c.py'
    for name in (strange, "app/plain.py", "top.py"):
        (repository / name).write_text("x = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "names")
    for name in (strange, "app/plain.py", "top.py"):
        (repository / name).write_text("x = 1\ny = 2\n++ b/fake.py\n@@ -1 +1 @@\n")
    found = changes_since(repository / "app", "HEAD").files
    assert found == {strange.removeprefix("app/"): ((2, 4),), "plain.py": ((2, 4),)}
    git(repository, "config", "diff.noprefix", "true")
    git(repository, "config", "color.diff", "always")
    git(repository, "config", "diff.external", "false")
    assert changes_since(repository / "app", "HEAD").files == found


def test_a_configured_monitor_is_not_run(repository: Path) -> None:
    script = repository / ".git" / "monitor.sh"
    script.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    script.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(script))
    changes_since(repository, "HEAD")
    assert not (repository / "ran").exists()


def test_contents_are_never_read_as_headers() -> None:
    diff = b"""diff --git a/x b/x
--- a/x
+++ b/x
@@ -1 +1,2 @@
-a
+++ b/other
+diff --git a/y b/y
@@ -9,2 +10,0 @@
-c
-d
\\ No newline at end of file
"""
    assert list(parsed(diff)) == [("x", ((1, 2), (10, 11)))]


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("nothing", "git knows no revision 'nothing' here. Fetch it first"),
        ("--output=x", "is no revision"),
        ("", "no revision"),
    ],
)
def test_a_wrong_revision(repository: Path, revision: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        changes_since(repository, revision)
    assert not (repository / "x").exists()


def test_outside_of_git(evenkeel: Run, tree: Path) -> None:
    result = evenkeel("audit", ".", "--diff", "main", GIT_CEILING_DIRECTORIES=str(tree.parent))
    assert (result.returncode, result.stdout) == (2, "")
    assert "--diff needs a git checkout, and" in result.stderr
    assert "or leave --diff out and use a baseline" in result.stderr


def test_as_a_user_runs_it(evenkeel: Run, repository: Path) -> None:
    change(repository / JOBS, "time.sleep(1)", "time.sleep(2)")
    result = evenkeel("audit", ".", "--diff", "HEAD", "--format", "concise", "--fail-on", "low")
    assert result.returncode == 1
    assert [line.split(": ")[0] for line in result.stdout.splitlines()][:1] == ["app/jobs.py:8"]
    assert "Not reported: 2 findings that no change since HEAD touches." in result.stdout
