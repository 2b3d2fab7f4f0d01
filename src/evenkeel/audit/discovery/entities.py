"""Triggers that libraries declare as Python objects: alembic_utils' `PGTrigger` and `PGFunction`, django-pgtrigger.

Each is written as the SQL it stands for, and read like any other SQL."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from evenkeel.audit.discovery import sqltext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evenkeel.audit.discovery.migrationsql import PythonSql
    from evenkeel.audit.discovery.pythontext import Given, Page

_ENTITY = re.compile(r"\b(?P<what>PGTrigger|PGFunction|UpsertTriggerSql|RemoveTrigger)\s*(?P<opening>\()")
_TABLE_CALL = re.compile(
    r"\b(?P<what>drop_table|rename_table)\s*\(\s*[\"'](?P<name>\w+)[\"'](?:\s*,\s*[\"'](?P<new>\w+)[\"'])?"
)
_STRING = re.compile(r"[rRbBuUfF]*(\"\"\"|'''|\"|')(?P<text>.*?)\1", re.DOTALL)


def operations(page: Page, sql: PythonSql) -> Iterator[sqltext.Operation]:
    """Operations of the objects that a page declares or drops, and of alembic's calls on tables."""
    for match in _ENTITY.finditer(page.mask):
        if sql.is_live(match.start()):
            given = {each.keyword: _text(page, each) for each in page.arguments(match.start("opening"))}
            yield from _of_entity(page, sql, match, given)
    for match in _TABLE_CALL.finditer(page.text):
        if sql.is_live(match.start()):
            kind: sqltext.Kind = "drop-table" if match["what"] == "drop_table" else "rename-table"
            yield sqltext.Operation(kind, match.start(), match["name"], new=match["new"] or "")


def _of_entity(page: Page, sql: PythonSql, match: re.Match[str], given: dict[str, str]) -> Iterator[sqltext.Operation]:
    dropped = _is_dropped(page, sql, match.start())
    for operation in sqltext.operations(_statement(match["what"], given)):
        moved = dataclasses.replace(operation, position=match.start())
        if dropped:
            kind: sqltext.Kind = "drop-trigger" if operation.kind == "create-trigger" else "drop-function"
            moved = dataclasses.replace(moved, kind=kind)
        yield moved


def _statement(what: str, given: dict[str, str]) -> str:
    match what:
        case "PGTrigger":
            return f"CREATE TRIGGER {given.get('signature', '')} {given.get('definition', '')}"
        case "PGFunction":
            return f"CREATE FUNCTION {given.get('signature', '')} {given.get('definition', '')}"
        case "UpsertTriggerSql":
            name = f"pgtrigger_{given.get('pgid', '').removeprefix('pgtrigger_')}"
            return (
                f"CREATE FUNCTION {name}() RETURNS TRIGGER AS $body$ {given.get('func', '')} $body$;"
                f" CREATE TRIGGER {name} {given.get('when', 'AFTER')} {given.get('operation', '')}"
                f' ON "{given.get("table", "")}" FOR EACH ROW EXECUTE FUNCTION {name}()'
            )
        case _:
            return ""


def _is_dropped(page: Page, sql: PythonSql, start: int) -> bool:
    """Whether the object is given to `op.drop_entity` on the way forward, directly or through its name."""
    before = page.mask[max(0, start - 200) : start]
    if re.search(r"drop_entity\s*\(\s*$", before):
        return True
    name = re.search(r"(\w+)\s*(?::[^=\n]+)?=\s*$", before)
    if not name:
        return False
    drops = re.finditer(rf"drop_entity\s*\(\s*{name[1]}\b", page.mask)
    creates = re.search(rf"(?:create|replace)_entity\s*\(\s*{name[1]}\b", page.mask)
    return any(sql.is_live(each.start()) for each in drops) and not (creates and sql.is_live(creates.start()))


def _text(page: Page, given: Given) -> str:
    """The text of an argument's strings, one after the other, with line ends for `\\n`."""
    written = page.text[given.position : given.end]
    text = "".join(match["text"] for match in _STRING.finditer(written))
    return text.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'")
