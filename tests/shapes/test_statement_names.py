"""Every statement is used, every name that is used exists, and each file says what it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenkeel.hotpath.storage.statements import read_statements

STORAGE = Path(__file__).parents[2] / "src" / "evenkeel" / "hotpath" / "storage"
DIALECTS = ("sqlite", "postgres")


def words_of_code(dialect: str) -> set[str]:
    return {word for file in (STORAGE / dialect).glob("*.py") for word in re.findall(r'"(\w+)"', file.read_text())}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_is_used(dialect: str) -> None:
    names = set(read_statements(dialect))
    assert len(names) > 60
    assert names - words_of_code(dialect) == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_name_that_is_used_exists(dialect: str) -> None:
    asked = re.compile(r"(?:access\.(?:rows?|at|on)\(|_change\(|_on\()\s*(?:db,\s*)?\"(\w+)\"|\.sql\[\"(\w+)\"\]")
    code = "\n".join(file.read_text() for file in (STORAGE / dialect).glob("*.py"))
    used = {first or second for first, second in asked.findall(code)}
    assert len(used) > 40
    assert used - set(read_statements(dialect)) == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_placeholder_is_left_and_no_comment_is_sent(dialect: str) -> None:
    for name, sql in read_statements(dialect).items():
        assert "@now" not in sql, name
        assert not sql.startswith("--"), name
        assert not sql.endswith(";"), name


@pytest.mark.parametrize("file", sorted(STORAGE.glob("*/*/*.sql")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_file_says_what_it_is_for(file: Path) -> None:
    assert re.match(r"-- [A-Z].{20}", file.read_text())


def test_both_dialects_have_the_same_files() -> None:
    for folder in ("sql", "migrations"):
        sqlite, postgres = ({file.name for file in (STORAGE / folder / d).glob("*.sql")} for d in DIALECTS)
        assert postgres - sqlite <= {"wakeups.sql"}
        assert sqlite - postgres == set()
