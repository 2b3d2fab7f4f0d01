"""Statements in `.sql` files: which are found under which names, and what code that names them does."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenkeel.audit.source.named_sql import LARGEST_BYTES, named_statements
from evenkeel.audit.source.walk import walk

AIOSQL = """
-- The file's own comment.

-- name: find-user^(id)
-- One row.
SELECT id, name
FROM users  -- of this tenant
WHERE id = :id;

-- name: add_user<!
INSERT INTO users (name) VALUES (:name);
"""
PUGSQL = "-- :name rename_user :affected\nUPDATE users SET name = :name WHERE id = :id"


def read(folder: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return named_statements(walk(folder).sql)


def test_statements_are_found_in_both_notations(tmp_path: Path) -> None:
    assert read(tmp_path, a=AIOSQL, b=PUGSQL) == {
        "find_user": "SELECT id, name FROM users WHERE id = :id",
        "add_user": "INSERT INTO users (name) VALUES (:name)",
        "rename_user": "UPDATE users SET name = :name WHERE id = :id",
    }


def test_of_two_dialects_the_first_is_kept(tmp_path: Path) -> None:
    found = read(tmp_path, a="-- name: one\nSELECT 1 FROM t", b="-- name: one\nSELECT 1 FROM t LIMIT 1")
    assert found == {"one": "SELECT 1 FROM t"}


def test_a_name_that_means_two_things_tells_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, a="-- name: one\nSELECT 1 FROM t", b="-- name: one\nDELETE FROM t")
    assert found == {}


@pytest.mark.parametrize(
    "text", ["CREATE TABLE t (id int)", "-- name:\nSELECT 1", "", "-- name: big\n" + "x" * LARGEST_BYTES]
)
def test_other_files_hold_none(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, a=text) == {}


def test_what_is_ignored_or_a_test_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("old.sql\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "queries.sql").write_text(PUGSQL)
    assert read(tmp_path, old=PUGSQL) == {}


def test_a_file_that_is_gone_gives_nothing(tmp_path: Path) -> None:
    assert named_statements([str(tmp_path / "gone.sql")]) == {}
