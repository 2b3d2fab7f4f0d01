"""tech_stack.md and decision records. Every name in these texts is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.audit.discovery import discover, markdown
from tests.discovery.profiles import Project


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
