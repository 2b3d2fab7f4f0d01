"""What a database statement does, from its SQL text, and what a query is keyed with."""

from __future__ import annotations

import re
from functools import lru_cache

from evenkeel.audit.model.effects import Effect

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_VERB = re.compile(r"^[\s(]*(\w+)", re.IGNORECASE)
_WRITE_IN_CTE = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+[\"`\[]?([\w.{}]+)", re.IGNORECASE)
_TABLE = {
    "SELECT": re.compile(r"\bFROM\s+(?:ONLY\s+)?[\"`\[]?([\w.{}]+)", re.IGNORECASE),
    "INSERT": re.compile(r"\bINTO\s+[\"`\[]?([\w.{}]+)", re.IGNORECASE),
    "REPLACE": re.compile(r"\bINTO\s+[\"`\[]?([\w.{}]+)", re.IGNORECASE),
    "MERGE": re.compile(r"\bINTO\s+[\"`\[]?([\w.{}]+)", re.IGNORECASE),
    "UPDATE": re.compile(r"\bUPDATE\s+(?:ONLY\s+)?[\"`\[]?([\w.{}]+)", re.IGNORECASE),
    "DELETE": re.compile(r"\bFROM\s+(?:ONLY\s+)?[\"`\[]?([\w.{}]+)", re.IGNORECASE),
}
_COUNT = re.compile(r"^\s*SELECT\s+(?:DISTINCT\s+)?(?:COUNT|SUM|AVG|MIN|MAX)\s*\(", re.IGNORECASE)
_WRITES = {
    "INSERT": ("db-write", "db-insert"),
    "REPLACE": ("db-write", "db-insert"),
    "MERGE": ("db-write", "db-insert"),
    "COPY": ("db-write", "db-insert", "db-bulk"),
    "UPDATE": ("db-write", "db-update"),
    "DELETE": ("db-write", "db-update", "db-delete"),
    "TRUNCATE": ("db-write", "db-update", "db-delete", "db-bulk"),
}
_SESSION_VERBS = {
    "BEGIN": "begin",
    "START": "begin",
    "COMMIT": "commit",
    "ROLLBACK": "rollback",
    "NOTIFY": "notify",
}
_DEFINITIONS = frozenset({"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "REFRESH", "REINDEX", "CLUSTER"})
_HARMLESS = frozenset(
    {"SET", "RESET", "PRAGMA", "SHOW", "LISTEN", "UNLISTEN", "SAVEPOINT", "RELEASE", "USE", "ANALYZE", "VACUUM", "LOCK"}
    | {"ATTACH", "DETACH", "DESCRIBE", "DO", "PREPARE", "DEALLOCATE", "DECLARE", "FETCH", "CLOSE", "EXPLAIN", "LOAD"}
)
_READS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "CALL"})


@lru_cache(maxsize=4_096)
def effects_of_sql(text: str, *, blocking: bool) -> tuple[Effect, ...] | None:
    """The effects of running SQL text: none for a session setting; None when the text tells nothing."""
    sql = _COMMENTS.sub(" ", text)
    match = _VERB.match(sql)
    verb = match.group(1).upper() if match else ""
    if "pg_notify(" in sql.lower():
        return (Effect("notify", "", blocking),)
    if verb in _SESSION_VERBS:
        return (Effect(_SESSION_VERBS[verb], "", blocking),)  # type: ignore[arg-type]
    if verb in _WRITES:
        table = _table(verb, sql)
        return tuple(Effect(kind, table, blocking) for kind in _WRITES[verb])  # type: ignore[arg-type]
    if verb in _READS:
        return _read_effects(sql, blocking=blocking)
    if verb in _DEFINITIONS:
        return (Effect("db-write", "", blocking),)
    return () if verb in _HARMLESS else None


def _read_effects(sql: str, *, blocking: bool) -> tuple[Effect, ...]:
    written = _WRITE_IN_CTE.search(sql) if sql.lstrip().upper().startswith("WITH") else None
    if written is not None:
        verb = written.group(1).split()[0].upper()
        kinds = ("db-read", *_WRITES[verb])
        return tuple(Effect(kind, written.group(2).lower(), blocking) for kind in kinds)  # type: ignore[arg-type]
    table = _table("SELECT", sql)
    found = (Effect("db-read", table, blocking),)
    return (*found, Effect("db-count", table, blocking)) if _COUNT.match(sql) else found


def _table(verb: str, sql: str) -> str:
    pattern = _TABLE.get(verb)
    match = pattern.search(sql) if pattern else None
    return match.group(1).lower() if match else ""


_KEY = re.compile(r"\b(?:\w*id|pk|uuid|slug|key|code|token|email|username|name)\b\s*==?\s*([A-Za-z_][\w.]*)")


def key_of(steps: tuple[str, ...]) -> str:
    """What a query is keyed with, as written: `where(User.id == user_id)` -> `user_id`; "" when it is not."""
    for step in steps:
        match = _KEY.search(step)
        if match and match.group(1) not in {"None", "True", "False"}:
            return match.group(1)
    return ""
