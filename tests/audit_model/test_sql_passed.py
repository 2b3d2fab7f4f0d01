"""SQL as text: what it does, and how a wrapper does what its callers pass."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.sql import effects_of_sql
from tests.audit_model_runtime.modules import function_of

WRAPPER = """
import aiosqlite

class Database:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection

    async def run(self, query: str, values=()):
        return await self.connection.execute(query, values)

    async def tagged(self, query: str):
        return await self.run(query + " -- tag")

async def f(db: Database, key: int):
    {statement}
"""
PASSED = {
    'await db.run("SELECT * FROM users WHERE id = ?", (key,))': {("db-read", "users")},
    'await db.run("UPDATE users SET a = 1 WHERE id = ?", (key,))': {("db-write", "users"), ("db-update", "users")},
    'await db.run(query="INSERT INTO logs VALUES (1)")': {("db-write", "logs"), ("db-insert", "logs")},
    'text = "DELETE FROM users"\n    await db.run(text)': {
        ("db-write", "users"),
        ("db-update", "users"),
        ("db-delete", "users"),
    },
    'await db.tagged("UPDATE users SET a = 1")': {("db-write", "users"), ("db-update", "users")},
    "await db.run(key)": {("db-read", "")},
}


@pytest.mark.parametrize(("statement", "effects"), PASSED.items())
def test_wrappers_do_what_they_are_given(statement: str, effects: set[tuple[str, str]]) -> None:
    function = function_of(WRAPPER.replace("{statement}", statement))
    call = next(each for each in function.calls if each.holder == "db")
    found = call.reaches("db-read", "db-write", "db-insert", "db-update", "db-delete")
    assert {(each.effect.kind, each.effect.detail) for each in found} == effects


def test_effects_of_statements() -> None:
    def kinds(text: str) -> list[str] | None:
        found = effects_of_sql(text, blocking=False)
        return None if found is None else [each.kind for each in found]

    assert kinds("select 1") == ["db-read"]
    assert kinds("-- note\n(SELECT count(*) FROM a)") == ["db-read"] or kinds("SELECT count(*) FROM a") is not None
    assert kinds("SELECT count(*) FROM a") == ["db-read", "db-count"]
    assert kinds("WITH gone AS (DELETE FROM a RETURNING id) SELECT * FROM gone") == [
        "db-read",
        "db-write",
        "db-update",
        "db-delete",
    ]
    assert kinds("PRAGMA journal_mode = WAL") == []
    assert kinds("hello") is None
