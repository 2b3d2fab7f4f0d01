"""The one Linear task: where it goes, that there is one a day, and what becomes of trouble on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evenkeel.audit.model.profile import Board
from evenkeel.audit.tracker import Task
from evenkeel.audit.tracker.linear.description import token
from evenkeel.kernel.errors import (
    ConfigurationError,
    ConflictError,
    EvenkeelError,
    UnavailableError,
    UsageError,
)
from tests.tracker.conftest import MakeTracker
from tests.tracker.service import KEY, Answer, Workspace


def test_the_task_is_created_whole_and_in_its_place(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    receipt = tracker().create(task)
    assert receipt.created
    assert receipt.note.startswith(
        "HRB-1 created: https://linear.app/harbour/issue/HRB-1; without the labels refactoring"
    )
    (issue,) = linear.issues
    assert issue["title"] == "Persistence & Performance Audit: 2026-02-04"
    assert issue["team"]["key"] == "HRB"
    assert issue["project"]["name"] == "Epic 0: Common Tasks"
    assert issue["stateId"] == "s-backlog"
    assert issue["priority"] == 2
    assert issue["labelIds"] == ["l-team", "l-audit"]  # the team's before the workspace's; no group, no retired one
    assert issue["description"].startswith(task.body.rstrip())
    assert f"<!-- {token(task)} -->" in issue["description"]
    assert linear.operations() == ["Teams", "Projects", "Labels", "Issues", "CreateIssue"]


def test_the_key_is_sent_bare_and_stands_nowhere_else(
    tracker: MakeTracker, linear: Workspace, task: Task, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = tracker()
    receipt = made.create(task)
    assert {headers["Authorization"] for headers, _, _ in linear.requests} == {KEY}
    kept = "".join(each.read_text() for each in (tmp_path / "state").iterdir())
    printed = capfd.readouterr()
    assert KEY not in f"{receipt} {made!r} {kept} {printed.out} {printed.err}"


def test_a_token_of_an_application_is_sent_as_bearer(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    with pytest.raises(ConfigurationError, match="refuses the key"):
        tracker(key="token-of-an-application").create(task)
    assert linear.requests[0][0]["Authorization"] == "Bearer token-of-an-application"


def test_a_second_run_on_the_same_day_updates(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    tracker().create(task)
    linear.issues[0].update(title="renamed by someone", stateId="s-todo", labelIds=["l-mine", "l-team"])
    later = msgspec.structs.replace(task, body="# Persistence & Performance Audit Report\n\nLess.\n", priority=3)
    receipt = tracker().create(later)
    assert receipt.created
    assert receipt.note.startswith("HRB-1 updated: ")
    (issue,) = linear.issues
    assert (issue["title"], issue["priority"]) == (task.title, 3)
    assert "Less." in issue["description"]
    assert issue["stateId"] == "s-todo", "where people have moved it is left alone"
    assert issue["labelIds"] == ["l-mine", "l-team", "l-audit"], "labels are added, not replaced"


def test_another_machine_finds_it_by_its_marker(
    tracker: MakeTracker, linear: Workspace, task: Task, tmp_path: Path
) -> None:
    tracker().create(task)
    linear.issues[0]["title"] = "Mend the pier"
    for each in (tmp_path / "state").iterdir():
        each.unlink()
    assert tracker().create(task).note.startswith("HRB-1 updated")
    assert len(linear.issues) == 1


def test_other_days_and_other_trees_have_tasks_of_their_own(
    tracker: MakeTracker, linear: Workspace, task: Task
) -> None:
    tracker().create(task)
    tracker().create(msgspec.structs.replace(task, tree="lock"))
    tracker().create(
        msgspec.structs.replace(task, date="2026-02-05", title="Persistence & Performance Audit: 2026-02-05")
    )
    assert [each["identifier"] for each in linear.issues] == ["HRB-1", "HRB-2", "HRB-3"]


def test_what_someone_else_wrote_is_not_written_over(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    foreign: dict[str, Any] = {
        "id": "x",
        "identifier": "HRB-7",
        "title": task.title,
        "description": "My own notes",
        "trashed": None,
        "team": linear.teams[0],
        "project": None,
        "url": "u",
    }
    linear.issues.append(foreign)
    with pytest.raises(ConflictError, match="HRB-7 has the title"):
        tracker().create(task)
    foreign["trashed"] = True
    assert tracker().create(task).created
    assert foreign["description"] == "My own notes"


def test_the_id_is_kept_before_it_is_sent(tracker: MakeTracker, linear: Workspace, task: Task, tmp_path: Path) -> None:
    def fail(operation: str) -> Answer | None:
        if operation != "CreateIssue":
            return None
        (kept,) = (tmp_path / "state").glob("*.json")
        assert json.loads(kept.read_text())["id"] == linear.variables("CreateIssue")["input"]["id"]
        return 502, {}, b"<html>bad gateway</html>"

    linear.fault = fail
    with pytest.raises(UnavailableError, match="HTTP status 502") as caught:
        tracker().create(task)
    assert "no second task" in caught.value.hint
    first = linear.variables("CreateIssue")["input"]["id"]
    linear.fault = lambda _: None
    assert tracker().create(task).created
    assert linear.issues[0]["id"] == first


def test_a_task_that_was_made_though_no_answer_came_is_found_again(
    tracker: MakeTracker, linear: Workspace, task: Task
) -> None:
    linear.after_create = lambda _: None  # an error beside the deed: the schema forbids a mutation without a payload
    with pytest.raises(EvenkeelError):
        tracker().create(task)
    assert len(linear.issues) == 1
    assert tracker().create(task).note.startswith("HRB-1 updated")
    assert len(linear.issues) == 1


def test_nothing_is_sent_when_the_id_cannot_be_kept(
    tracker: MakeTracker, linear: Workspace, task: Task, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(UnavailableError, match="cannot be written"):
        tracker().create(task)
    assert "CreateIssue" not in linear.operations()


@pytest.mark.parametrize(
    ("board", "stated", "key"),
    [
        (Board(team_uuid="11111111-7a51-4d0e-9a77-5a1f0c2d3e4f", team_key="HRB"), "", "TG"),
        (Board(team_uuid="[TEAM_UUID]", team_key="tg", team_name="Harbour"), "", "TG"),
        (Board(team_uuid="Harbour", team_key="-", team_name="tide gate"), "", "TG"),
        (Board(team_key="HRB"), "https://linear.app/harbour/team/TG/active", "TG"),
        (Board(team_key="HRB"), "Tide Gate", "TG"),
        (Board(team_key="HRB"), "[TEAM_NAME]", "HRB"),
        (None, "11111111-7A51-4d0e-9a77-5a1f0c2d3e4f", "TG"),
    ],
)
def test_the_team_is_the_stated_one_else_the_boards(
    tracker: MakeTracker, linear: Workspace, task: Task, board: Board | None, stated: str, key: str
) -> None:
    tracker(team=stated).create(msgspec.structs.replace(task, board=board))
    assert linear.issues[0]["team"]["key"] == key


@pytest.mark.parametrize(
    ("board", "stated", "words"),
    [
        (None, "", "No team is known"),
        (Board(team_name="{{TEAM}}"), "", "No team is known"),
        (Board(team_key="ZZ"), "", "knows no team with key ZZ"),
        (Board(team_key="HRB", workspace_url="https://linear.app/other"), "", "opens the workspace harbour, not other"),
        (None, "https://linear.app/other/team/HRB", "opens the workspace harbour, not other"),
        (None, "https://example.org/team", "is no address of a team"),
        (Board(team_name="Double"), "", "Several teams are called Double: D1, D2"),
    ],
)
def test_a_team_that_is_not_clear_is_asked_for(
    tracker: MakeTracker, linear: Workspace, task: Task, board: Board | None, stated: str, words: str
) -> None:
    linear.teams += [{"id": f"d{n}", "key": f"D{n}", "name": "Double", "states": []} for n in (1, 2)]
    with pytest.raises(UsageError, match=words):
        tracker(team=stated).create(msgspec.structs.replace(task, board=board))
    assert linear.issues == []


def test_without_an_epic_0_the_task_stands_alone_or_not_at_all(
    tracker: MakeTracker, linear: Workspace, task: Task
) -> None:
    linear.projects = [each for each in linear.projects if each["id"] != "p3"]
    with pytest.raises(UsageError, match="no project called Epic 0"):
        tracker(require_project=True).create(task)
    receipt = tracker().create(task)
    assert "no project called Epic 0" in receipt.note
    assert linear.issues[0]["project"] is None


def test_a_project_may_be_named_by_the_board_or_the_settings(
    tracker: MakeTracker, linear: Workspace, task: Task
) -> None:
    plain = [
        {"id": f"n{number}", "name": name, "status": {"type": "planned"}, "accessibleTeams": [linear.teams[0]]}
        for number, name in enumerate(["Common Tasks", "Debt"])
    ]
    linear.projects = [*linear.projects[:3], *plain]
    tracker().create(task)
    assert linear.issues[0]["project"]["name"] == "Common Tasks"
    tracker(project="debt").create(msgspec.structs.replace(task, tree="lock"))
    assert linear.issues[1]["project"]["name"] == "Debt"
    with pytest.raises(UsageError, match="no project 'Rust'"):
        tracker(project="Rust").create(msgspec.structs.replace(task, tree="gate"))


def test_projects_are_read_page_by_page_and_open_ones_come_first(
    tracker: MakeTracker, linear: Workspace, task: Task
) -> None:
    def epic(number: int, name: str, status: str) -> dict[str, Any]:
        return {"id": f"e{number}", "name": name, "status": {"type": status}, "accessibleTeams": [linear.teams[0]]}

    many = [epic(number, f"Epic {number + 1}", "started") for number in range(70)]
    linear.projects = [epic(100, "Epic 0 (2024)", "completed"), *many, epic(101, "EPIC 0 - Debt", "planned")]
    tracker().create(task)
    assert linear.issues[0]["project"]["name"] == "EPIC 0 - Debt"
    assert linear.operations().count("Projects") == 2


def test_labels_are_made_only_when_allowed(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    receipt = tracker(create_labels=True).create(task)
    assert linear.issues[0]["labelIds"] == ["l-team", "l-audit", "made-refactoring"]
    assert "without the labels" not in receipt.note


@pytest.fixture
def shown() -> list[str]:
    return []


def test_a_dry_run_prints_the_very_request_and_changes_nothing(
    tracker: MakeTracker, linear: Workspace, task: Task, shown: list[str]
) -> None:
    show: Callable[[str], None] = shown.append
    receipt = tracker(show=show, create_labels=True).create(task)
    assert not receipt.created
    assert receipt.note.startswith("dry run")
    assert {"CreateIssue", "CreateLabel"}.isdisjoint(linear.operations())
    label, issue = map(json.loads, shown)
    assert label["body"]["variables"]["input"]["name"] == "refactoring"
    assert KEY not in "".join(shown)
    tracker().create(task)
    assert issue["body"]["variables"] == linear.variables("CreateIssue")


def test_a_long_report_is_cut_with_a_pointer(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    long = msgspec.structs.replace(task, body=task.body + "| a row of the report |\n" * 1000)
    tracker(max_description=2000).create(long)
    text = linear.issues[0]["description"]
    assert len(text) <= 2000
    assert "**Cut here: the first " in text
    assert "evenkeel audit . --output audit.md" in text
    assert token(task) in text
    assert tracker().create(long).note.startswith("HRB-1 updated")
