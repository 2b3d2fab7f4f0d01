"""tech_stack.md, the tracker's board and its settings, decision records. Every name in these texts is invented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.discovery import discover, markdown
from evenkeel.audit.model.profile import Board, Source

Project = Callable[[Mapping[str, str | bytes]], Path]

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


def test_tech_stack_comments_hold_example_rows(project: Project) -> None:
    """TRAP: HTML comments in the template contain whole stacks; unfilled `{{DATABASE}}` is absent."""
    text = """\
# Technology Stack: gate
<!-- Example:
| Layer | Technology | Version | Rationale | ADR |
|---|---|---|---|---|
| **Database** | PostgreSQL | 16 | rows | - |
| **Cache** | Redis | 7 | speed | - |
-->
### 2.1 Stack Overview
| Layer | Technology | Version | Rationale | ADR |
|-------|-----------|---------|-----------|-----|
| Backend | Go + Gin | 1.23.x + 1.10.x | small binaries | - |
| Database | {{DATABASE}} | {{DATABASE_VERSION}} | | |
<!-- unclosed
| Cache | Memcached | 1 | | |
"""
    profile = discover(project({"docs/project/tech_stack.md": text}))
    assert [(each.name, each.version, each.sources[0].line) for each in profile.technologies] == [
        ("go", "1.23.x", 11),
        ("gin", "1.10.x", 11),
    ]


def test_tech_stack_orm_in_free_text_and_compose_blocks(project: Project) -> None:
    text = """\
## 2.1 Stack Overview
| Layer | Technology | Version | Rationale | ADR |
|---|---|---|---|---|
| **Database** | PostgreSQL | 15.x | row \\| locks | [ADR-004](../reference/adrs/adr-004-store.md) |
| **Message Queue** | Celery | latest | | |

## 2.2 Key Libraries
**Backend:** SQLAlchemy (2.0) - ORM, FastAPI (0.115) - HTTP
**Common:**
- Redis (7.x) - cache
- Prismatic (1) - not an ORM

## 3 Docker
```yaml
services:
  db:
    image: postgres:16-alpine
```
"""
    profile = discover(project({"docs/project/tech_stack.md": text}))
    versions = {each.name: (each.role, each.version) for each in profile.technologies}
    assert versions["postgresql"] == ("database", "15.x")
    assert versions["sqlalchemy"] == ("orm", "2.0")
    assert versions["fastapi"] == ("web", "0.115")
    assert versions["redis"] == ("cache", "7.x")
    assert versions["celery"] == ("queue", "latest")
    assert "prisma" not in versions
    postgres = profile.technology("postgresql")
    assert postgres is not None
    assert {each.says for each in postgres.sources} == {"15.x", "16-alpine"}


def test_tech_stack_templates_of_a_skill_library_do_not_count(project: Project) -> None:
    text = "| Layer | Technology |\n|---|---|\n| Database | MySQL |\n"
    assert discover(project({"skills/x/templates/tech_stack.md": text})).technologies == ()


ADRS = {
    "docs/reference/adrs/adr-012-import.md": (
        "# ADR-012: Keep one long transaction for nightly import\n\n"
        "**Date:** 2026-01-09 | **Status:** Accepted | **Category:** Data\n\n## Context\n<!-- Status: Rejected -->\n",
        ("12", "Keep one long transaction for nightly import", "accepted"),
    ),
    "docs/decisions/poll.md": (
        "# ADR-3: Poll instead of LISTEN\nStatus: Superseded by ADR-9\n",
        ("3", "Poll instead of LISTEN", "superseded by adr-9"),
    ),
    "doc/adr/0007-use-redis.md": (
        "# 7. Use Redis\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n\nSuperseded by [11. Drop it](0011-drop.md)\n\n"
        "## Context\n",
        ("7", "Use Redis", "superseded by 11. drop it"),
    ),
    "docs/adr/0008-front-matter.md": (
        '---\nstatus: "rejected"\ndate: 2026-01-01\n---\n# Use two pools\n',
        ("8", "Use two pools", "rejected"),
    ),
    "adr/0009-bullets.md": ("# Batch writes\n\n* Status: ~~proposed~~ accepted\n", ("9", "Batch writes", "accepted")),
    "services/gate/docs/adr/0002-table.md": (
        "# ADR 2 - Cache\n\n| Status | Declined |\n|---|---|\n",
        ("2", "Cache", "rejected"),
    ),
    "docs/decisions/plain.md": (
        "# Store events in one table\n\nBecause.\n",
        ("", "Store events in one table", "accepted (not stated)"),
    ),
    "docs/architecture/decisions/0004-rst.rst": (
        "Use one writer\n==============\n\nStatus\n------\n\nProposed\n\nContext\n-------\n\nx\n",
        ("4", "Use one writer", "proposed"),
    ),
}


@pytest.mark.parametrize("path", ADRS)
def test_decision_records(project: Project, path: str) -> None:
    text, expected = ADRS[path]
    (decision,) = discover(project({path: text})).decisions
    assert (decision.number, decision.title, decision.status) == expected
    assert decision.source.file == path
    assert decision.text


def test_indexes_and_templates_are_no_decisions_and_plans_are(project: Project) -> None:
    record = "# ADR-1: A\nStatus: Accepted\n"
    root = project(
        {
            "docs/adr/README.md": record,
            "docs/adr/index.md": record,
            "docs/adr/template.md": record,
            "docs/adr/templates/x.md": record,
            "docs/adr/empty.md": " \n",
            "docs/plans/async-storage.md": "# Move storage to asyncpg\n\nLater.\n",
            "docs/guide/decisions-we-like.md": record,
        }
    )
    assert [(each.number, each.title, each.status) for each in discover(root).decisions] == [
        ("", "Move storage to asyncpg", "planned")
    ]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="|\\\n\r")).map(str.strip), min_size=1))
def test_cells_come_back_as_written(cells: list[str]) -> None:
    assert markdown.cells(f"| {' | '.join(cells)} |") == cells


@given(st.text(st.sampled_from("|-:#`<>!\\\n ab*[](){}"), max_size=200))
def test_any_document_is_read_line_by_line(text: str) -> None:
    numbers = [line.number for line in markdown.lines(text)]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= text.count("\n") + 1 for number in numbers)
