"""`evenkeel audit --tracker …` from end to end: a whole audit, and the task that comes of it or does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tracker.service import KEY, Workspace

pytestmark = pytest.mark.timeout(90)  # whole runs in processes of their own
LINEAR = ("--tracker", "linear", "--team", "HRB")


@pytest.fixture
def given(address: str, tmp_path: Path) -> dict[str, str]:
    return {"LINEAR_API_KEY": KEY, "EVENKEEL_LINEAR_URL": address, "XDG_STATE_HOME": str(tmp_path / "state")}


def test_a_run_creates_the_task_and_the_next_updates_it(
    evenkeel: Run, backend: Path, linear: Workspace, given: dict[str, str]
) -> None:
    before = sorted(each.name for each in backend.rglob("*"))
    first = evenkeel("audit", backend, *LINEAR, "--date", "2026-02-04", "--format", "markdown", env=given)
    assert first.returncode == 0, first.stderr
    assert "[x] Tracker task created: HRB-1 created: https://linear.app/harbour/issue/HRB-1" in first.stdout
    (issue,) = linear.issues
    assert issue["title"] == "Persistence & Performance Audit: 2026-02-04"
    assert issue["description"].startswith("# Persistence & Performance Audit Report - 2026-02-04\n")
    assert "api.py" in issue["description"]
    assert str(backend) not in issue["description"], "no path of this machine leaves it"
    second = evenkeel("audit", backend, *LINEAR, "--date", "2026-02-04", "--format", "markdown", env=given)
    assert "HRB-1 updated" in second.stdout
    assert len(linear.issues) == 1
    assert sorted(each.name for each in backend.rglob("*")) == before, "nothing is written into the tree"


@pytest.mark.parametrize("form", ["json", "terminal"])
def test_a_dry_run_prints_the_request_and_keeps_the_report_whole(
    evenkeel: Run, backend: Path, linear: Workspace, given: dict[str, str], form: str
) -> None:
    run = evenkeel("audit", backend, *LINEAR, "--dry-run", "--quiet", "--format", form, env=given)
    assert run.returncode == 0, run.stderr
    assert linear.issues == []
    request = json.loads(run.stderr if form == "json" else run.stdout)
    assert request["body"]["variables"]["input"]["teamId"] == linear.teams[0]["id"]
    assert KEY not in run.stdout + run.stderr
    assert form == "terminal" or json.loads(run.stdout)["schema_version"] == "1"


def test_trouble_costs_the_task_and_not_the_report(
    evenkeel: Run, backend: Path, linear: Workspace, given: dict[str, str]
) -> None:
    linear.fault = lambda _: (500, {}, b"")
    run = evenkeel("audit", backend, *LINEAR, "--format", "json", env=given)
    assert run.returncode == 0
    done = {each["item"]: each for each in json.loads(run.stdout)["definition_of_done"]}
    assert not done["Tracker task created"]["done"]
    assert "Linear failed (HTTP status 500)" in done["Tracker task created"]["note"]
    assert "no task was created: Linear failed" in run.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tracker", "linear"], "needs a key. Set LINEAR_API_KEY"),
        (["--tracker", "file"], "Add --tracker-dir FOLDER."),
        (["--dry-run"], "--dry-run is about the tracker"),
        (["--watch", "--tracker", "file"], "--watch and --tracker do not go together"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_audited(
    evenkeel: Run, backend: Path, options: list[str], words: str
) -> None:
    run = evenkeel(
        "audit",
        backend,
        *options,
        env={"LINEAR_API_KEY": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert words in run.stderr


def test_settings_of_the_tree_cannot_redirect_the_key(evenkeel: Run, backend: Path, given: dict[str, str]) -> None:
    (backend / "evenkeel.toml").write_text('[tracker]\nurl = "https://evil.example/graphql"\n')
    run = evenkeel("audit", backend, *LINEAR, env=given)
    assert run.returncode == 2
    assert "tracker.url is not a known setting" in run.stderr
    (backend / "evenkeel.toml").unlink()
    plain = evenkeel("audit", backend, *LINEAR, env={**given, "EVENKEEL_LINEAR_URL": "http://evil.example/graphql"})
    assert "is no address to send a key to" in plain.stderr


def test_the_board_gets_the_task_in_the_tree(evenkeel: Run, backend: Path) -> None:
    (backend / "docs/tasks/epics").mkdir(parents=True)
    (backend / "docs/tasks/kanban_board.md").write_text(
        "# Board\n\n**Task provider:** file\n\n### Backlog\n\n_(empty)_\n"
    )
    run = evenkeel("audit", backend, "--tracker", "file", "--date", "2026-02-04", "--format", "markdown")
    assert run.returncode == 0, run.stderr
    name = "epics/epic-0-common-tasks/tasks/T001-persistence-performance-audit-2026-02-04.md"
    assert f"T001 in docs/tasks/{name}, named in docs/tasks/kanban_board.md" in run.stdout
    board = (backend / "docs/tasks/kanban_board.md").read_text()
    assert (
        f"### Backlog\n\n**Epic 0: Common Tasks**\n\n  - [T001 Persistence & Performance Audit: 2026-02-04]({name})\n"
        in board
    )
