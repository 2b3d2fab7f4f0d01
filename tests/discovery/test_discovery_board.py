"""The tracker's board and its settings. Every name in these texts is invented."""

from __future__ import annotations

import pytest

from evenkeel.audit.discovery import discover
from evenkeel.audit.model.profile import Board, Source
from tests.discovery.profiles import Project

UUID = "0b9e6c1e-7a51-4d0e-9a77-5a1f0c2d3e4f"
FIRST_GENERATION = f"""\
# Board

## Linear Configuration (use MCP Linear)

- **Workspace:** harbour

| Variable | Value | Description |
|---|---|---|
| **Team ID** | Harbour | Linear team name |
| **Team UUID** | {UUID} | id |
| **Team Key** | HRB | issue prefix |
| **Workspace URL** | https://linear.app/harbour | where |
| **Next Epic Number** | 4 | next |

### Backlog

**Epic 0: Common Tasks**

  📖 [HRB-3: US001 Pier log](https://linear.app/harbour/issue/HRB-3)
    _( tasks not created yet)_
"""
SECOND_GENERATION = """\
## Provider Configuration

**Task provider:** Linear

### Linear Configuration (only when provider=linear)

| Variable | Value | Description |
|---|---|---|
| **Team ID** | Tide Gate | team |
| **Team UUID** | [TEAM_UUID] | id |
| **Team Key** | {{TEAM_KEY}} | prefix |

### Common Configuration

| Variable | Value | Description |
|---|---|---|
| **Next Epic Number** | - | next |
"""
THIRD_GENERATION = """\
## Agent Entry
| Signal | Value |
|---|---|
| Team ID | never read this as a heading |

## Provider Configuration
**Task provider:** Linear
### Linear Configuration (only when provider=linear)
| Variable | Value | Description |
|---|---|---|
| **Team Name** | Tide Gate | team |
| **Team UUID** | [TEAM_UUID] | id |
| **Team Key** | TG | prefix |
### Backlog
**Epic 01: Not this one**
**Epic 0.5: Nor this**
**Epic 0: Common Tasks**
  - [US001 Lock cycle](epics/epic-0/us001.md)
"""


def board_of(project: Project, text: str) -> Board:
    board = discover(project({"docs/tasks/kanban_board.md": text})).board
    assert board is not None
    return board


def test_first_generation_board(project: Project) -> None:
    board = board_of(project, FIRST_GENERATION)
    assert board.team_id == "Harbour"
    assert board.team_uuid == UUID
    assert board.team_key == "HRB"
    assert board.workspace_url == "https://linear.app/harbour"
    assert board.epic == "Epic 0: Common Tasks"
    assert Source("docs/tasks/kanban_board.md", 10) in board.sources


def test_second_generation_board_with_placeholders(project: Project) -> None:
    """TRAP: templates are often left unfilled; `[TEAM_UUID]`, `{{TEAM_KEY}}`, `-` mean absent."""
    board = board_of(project, SECOND_GENERATION)
    assert (board.provider, board.team_uuid, board.team_key) == ("linear", "", "")
    assert board.team_name == "Tide Gate"


def test_third_generation_board(project: Project) -> None:
    board = board_of(project, THIRD_GENERATION)
    assert (board.team_name, board.team_uuid, board.team_key) == ("Tide Gate", "", "TG")
    assert board.epic == "Epic 0: Common Tasks"


@pytest.mark.parametrize(
    ("stated", "uuid", "key", "name"),
    [("Harbour", "", "", "Harbour"), (UUID, UUID, "", ""), ("TG", "", "TG", "TG"), ("[TEAM_NAME]", "", "", "")],
)
def test_team_id_mostly_holds_a_name(project: Project, stated: str, uuid: str, key: str, name: str) -> None:
    """TRAP: the row called Team ID holds the team's name; only a UUID in it is an id."""
    text = f"**Task provider:** Linear\n\n| Setting | Value |\n|---|---|\n| Team ID | {stated} |\n"
    board = board_of(project, text)
    assert (board.team_uuid, board.team_key, board.team_name) == (uuid, key, name)


@pytest.mark.parametrize(
    "empty", ["", "-", "—", "[TEAM_NAME]", "[TEAM_UUID]", "{{TEAM_ID}}", "TBD", "<team>", "`{{X}}`"]
)
def test_a_board_of_placeholders_is_no_board(project: Project, empty: str) -> None:
    text = f"| Variable | Value |\n|---|---|\n| Team ID | {empty} |\n| **Team UUID** | {empty} |\n"
    assert discover(project({"docs/tasks/kanban_board.md": text})).board is None


def test_a_board_with_workspace_rows_and_a_key_only_in_its_url(project: Project) -> None:
    text = """\
| Variable | Value |
|---|---|
| Team | Sluice |
| Workspace | lockworks |

See [the board](https://linear.app/lockworks/team/slu/active).
- [SLX-9: US002 Gate](https://linear.app/lockworks/issue/SLX-9)
"""
    board = board_of(project, text)
    assert (board.team_name, board.team_key) == ("Sluice", "SLU")
    assert board.workspace_url == "https://linear.app/lockworks"


def test_an_epic_whose_name_only_begins_alike_is_not_epic_0(project: Project) -> None:
    """TRAP: Epic 01, 0.5 and 10 are other epics."""
    text = "**Task provider:** file\n\n**Epic 01: A**\n**Epic 0.5: B**\n**Epic 10: C**\n"
    assert board_of(project, text).epic == ""


STATE = """\
{"scanned_at": "2026-05-02T08:00:00Z",
 "agents": {"codex": {"available": false}, "gemini": {"available": false}},
 "task_management": {"provider": "linear", "fallback": "file",
   "linear": {"team_id": "TG"}},
 "research": {"provider": "context7", "fallback_chain": ["context7", "websearch"]}}
"""
TOOLS = """\
## Task Management
| Setting | Value |
|---|---|
| **Provider** | file |
| **Status** | unavailable (429, 2026-04-01) |
| **Team ID** | Harbour |

## Research
| Setting | Value |
|---|---|
| **Provider** | ref |
| **Fallback chain** | ref -> context7 -> websearch |
| **Status** | active |
"""


def test_the_newest_settings_file_wins_over_older_ones_and_the_board(project: Project) -> None:
    files = {
        ".hex-skills/environment_state.json": STATE,
        "docs/tools_config.md": TOOLS,
        "docs/tasks/kanban_board.md": FIRST_GENERATION,
    }
    board = discover(project(files)).board
    assert board is not None
    assert (board.provider, board.team_id, board.team_uuid) == ("linear", "TG", UUID)
    assert board.research == ("context7", "websearch")
    assert (board.fallback, board.status) == ("file", "unavailable (429, 2026-04-01)")
    assert {each.file for each in board.sources} == set(files)


def test_tools_config_alone(project: Project) -> None:
    board = discover(project({"docs/tools_config.md": TOOLS})).board
    assert board is not None
    assert (board.provider, board.team_name) == ("file", "Harbour")
    assert board.research == ("ref", "context7", "websearch")
