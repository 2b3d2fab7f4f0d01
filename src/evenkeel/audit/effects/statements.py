"""What a database statement does: from SQL text, or from the steps of a query builder."""

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
_READS = frozenset({"SELECT", "WITH", "VALUES", "SHOW", "EXPLAIN", "TABLE", "CALL"})

BUILDERS = {  # the last part of a statement builder's name -> effects of executing it
    "select": ("db-read",),
    "Select": ("db-read",),
    "Exists": ("db-read",),
    "exists": ("db-read",),
    "insert": _WRITES["INSERT"],
    "Insert": _WRITES["INSERT"],
    "update": _WRITES["UPDATE"],
    "Update": _WRITES["UPDATE"],
    "delete": _WRITES["DELETE"],
    "Delete": _WRITES["DELETE"],
    "CompoundSelect": ("db-read",),
    "TextualSelect": ("db-read",),
    "FromStatement": ("db-read",),
}
_COUNTING_STEP = re.compile(r"\b(?:func|sa\.func|Count|functions)\.(?:count|sum|avg|total)\s*\(|\bCount\(|\bfn\.COUNT\(")


@lru_cache(maxsize=4_096)
def effects_of_sql(text: str, *, blocking: bool) -> tuple[Effect, ...]:
    """The effects of running SQL text; () when the text is no statement."""
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
    return ()


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


def effects_of_builder(builder: str, entity: str, steps: tuple[str, ...], *, blocking: bool) -> tuple[Effect, ...]:
    """The effects of executing a built statement: `builder` is the dotted name of what made it."""
    kinds = BUILDERS.get(builder.rpartition(".")[2], ())
    if not kinds:
        return ()
    found = tuple(Effect(kind, entity, blocking) for kind in kinds)  # type: ignore[arg-type]
    if kinds == ("db-read",) and steps and _COUNTING_STEP.search(steps[0]):
        return (*found, Effect("db-count", entity, blocking))
    return found


_KEY = re.compile(r"\b(?:\w*id|pk|uuid|slug|key|code|token|email|username|name)\b\s*==?\s*([A-Za-z_][\w.]*)")


def key_of(steps: tuple[str, ...]) -> str:
    """What a query is keyed with, as written: `where(User.id == user_id)` -> `user_id`; "" when it is not."""
    for step in steps:
        match = _KEY.search(step)
        if match and match.group(1) not in {"None", "True", "False"}:
            return match.group(1)
    return ""
