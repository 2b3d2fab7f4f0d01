"""SQL as text: what running a statement does, and which statement a call hands to a function that runs what it is given.

`class Database: def execute(self, query, values): self.connection.execute(query, values)` does what its callers say. The
text they pass decides, over as many wrappers as there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from evenkeel.audit.model.effects import Effect, EffectKind
from evenkeel.audit.model.facts import Call, Function, Value

LONGEST_TEXT = 300  # characters of a statement that is passed on; verb and table stand in front
_STATEMENT = re.compile(
    r"^[\s(]*(?:SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE|MERGE|TRUNCATE|CREATE|ALTER|DROP"
    r"|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)\b",
    re.IGNORECASE,
)
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
_INSERT_SELECT = re.compile(r"^[^()]*(?:\([^()]*\))?\s*(?:SELECT|WITH)\b", re.IGNORECASE)  # no VALUES in between
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
        many = ("db-bulk",) if verb == "INSERT" and _INSERT_SELECT.match(sql) else ()
        return tuple(Effect(kind, table, blocking) for kind in (*_WRITES[verb], *many))
    if verb in _READS:
        return _read_effects(sql, blocking=blocking)
    if verb in _DEFINITIONS:
        return (Effect("db-write", "schema", blocking),)
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


def counts(text: str) -> bool:
    """Whether a statement gives a number over many rows."""
    return _COUNT.match(_COMMENTS.sub(" ", text)) is not None


def _table(verb: str, sql: str) -> str:
    pattern = _TABLE.get(verb)
    match = pattern.search(sql) if pattern else None
    return match.group(1).lower() if match else ""


def table_hole(text: str) -> int:
    """The number of the f-string hole that stands for the table of a statement; -1 when the table is written out."""
    verb = _VERB.match(text)
    match = _TABLE[verb[1].upper()].search(text) if verb and verb[1].upper() in _TABLE else None
    return text[: match.start(1)].count("{}") if match is not None and "{}" in match[1] else -1


def is_sql(text: str) -> bool:
    """Whether a text is a statement, by its first word."""
    return _STATEMENT.match(_COMMENTS.sub(" ", text[:LONGEST_TEXT])) is not None


def texts_passed(
    function: Function, call: Call, names: Sequence[str], statements: Mapping[str, str], longest: int = LONGEST_TEXT
) -> dict[int, str]:
    """The SQL that a call passes, by parameter of the callee: literals, and local names that are given one literal.

    A literal may also be the name of a statement that stands in a file: `statements` holds those."""
    found: dict[int, str] = {}
    for position, argument in enumerate(call.arguments):
        if argument.keyword in {"*", "**"}:
            break
        text = _literal(function, argument.value, call.position)
        text = statements.get(text, text) or keyed_statement(argument.value, statements)
        if text and is_sql(text):
            named = argument.keyword in names
            found[list(names).index(argument.keyword) if named else position] = text[:longest]
    return found


def keyed_statement(value: Value, statements: Mapping[str, str]) -> str:
    """The named statement that `statements["count_leases"]` is, whatever holds them; "" when it is none."""
    key = value.names[-1] if value.kind == "name" and value.text.endswith("[]") and value.names else ""
    return statements.get(key.strip("'"), "") if key[:1] == "'" else ""


def _literal(function: Function, value: Value, position: int) -> str:
    if value.kind == "string":
        return value.text
    if value.kind != "name" or "." in value.text:
        return ""
    given = [each.value for each in function.assignments if value.text in each.targets and each.position < position]
    return given[-1].text if given and given[-1].kind == "string" else ""


def stated(effect: Effect, text: str) -> tuple[Effect, ...]:
    """The effects of a call that runs what it is given, once it is known what; the effect itself when the text is no help."""
    found = effects_of_sql(text, blocking=effect.blocking)
    return (effect,) if found is None else found


_NAMED: tuple[tuple[re.Pattern[str], tuple[EffectKind, ...]], ...] = (
    (re.compile(r"^_*(insert|create|add)(_|$)"), ("db-write", "db-insert")),
    (re.compile(r"^_*(update|upsert|save|set)(_|$)"), ("db-write", "db-update")),
    (re.compile(r"^_*(delete|remove)(_|$)"), ("db-write", "db-update", "db-delete")),
)


def guessed(name: str, *, blocking: bool) -> tuple[Effect, ...]:
    """What a function that runs an unknown statement does, by its own name: `def insert(self, table, row)`. Never certain."""
    kinds = next((kinds for pattern, kinds in _NAMED if pattern.match(name)), ("db-read",))
    return tuple(Effect(kind, "", blocking, certain=False) for kind in kinds)
