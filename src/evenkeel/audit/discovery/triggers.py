"""Triggers as they stand after every migration has run, and which of them notify someone."""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evenkeel.audit.discovery import entities, migrationsql, sqltext
from evenkeel.audit.discovery.migrations import is_undo
from evenkeel.audit.discovery.pythontext import Page
from evenkeel.audit.discovery.tree import Tree, decode, is_aside, line_at
from evenkeel.audit.model.profile import Source, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evenkeel.audit.discovery.sqltext import Operation

_MARKERS = (b"rigger", b"RIGGER", b"pg_notify", b"NOTIFY", b"FUNCTION")
_TABLE_MARKERS = (b"drop_table", b"rename_table", b"DROP TABLE", b"drop table", b"RENAME TO", b"rename to")
_DOWN_MARK = re.compile(
    r"^--\s*(?:\+goose\s+Down|\+migrate\s+Down|migrate:down|rollback|@?undo)\b", re.MULTILINE | re.IGNORECASE
)
_HOLE = re.compile(r"\{(\w+)\}")
_MAX_EXPANSIONS = 50
_MAX_CALL_DEPTH = 5
_HEAD_BYTES = 1_000_000


@dataclass(slots=True)
class History:
    """The triggers and functions that exist after the operations so far; triggers by (table, name)."""

    triggers: dict[tuple[str, str], tuple[Operation, Source]] = field(default_factory=dict)
    functions: dict[str, Operation] = field(default_factory=dict)


def find(tree: Tree, scripts: Sequence[str], sources: Iterable[str]) -> list[Trigger]:
    """Triggers of the migration `scripts` (in the order in which they run) and of other sources that create some.

    What other files create (schema dumps, DDL beside the models) is read apart from the migrations: it says what
    exists now, so that a migration which drops an older trigger of that name does not undo it."""
    migrated = History()
    for path in scripts:
        _apply_file(tree, path, migrated)
    in_scripts = set(scripts)
    beside = History()
    dumps = [path for path in tree.files.get("sql", ()) if not is_aside(path)]
    for path in sorted({*dumps, *sources} - in_scripts):
        if not is_undo(path):
            _apply_file(tree, path, beside)
    functions = {**beside.functions, **migrated.functions}
    existing = {**beside.triggers, **migrated.triggers}
    found = [_trigger(operation, source, functions) for operation, source in existing.values()]
    return sorted(found, key=lambda each: (each.table, each.name, each.source.file))


def _apply_file(tree: Tree, path: str, history: History) -> None:
    head = tree.head(path, _HEAD_BYTES)
    if not _concerns(head, history):
        return
    text = decode(head) or ""
    for operation in _operations(path, text):
        _apply(operation, Source(path, line_at(text, operation.position)), history)


def _concerns(head: bytes, history: History) -> bool:
    """Whether a file may change triggers. Most migrations drop some table; only tables that have a trigger matter."""
    if any(marker in head for marker in _MARKERS):
        return True
    tables = {table.encode() for table, _ in history.triggers}
    return any(table in head for table in tables) and any(marker in head for marker in _TABLE_MARKERS)


def _operations(path: str, text: str) -> Iterator[Operation]:
    """The operations of a file's way forward, in order."""
    if not path.endswith(".py"):
        down = _DOWN_MARK.search(text)
        yield from sqltext.operations(text[: down.start()] if down else text)
        return
    page = Page(path, text)
    sql = migrationsql.view(page)
    constants = migrationsql.constants(page)
    found = [*sqltext.operations(sql.text), *entities.operations(page, sql)]
    for operation in sorted(found, key=lambda each: (sql.runs_at(each.position), each.position)):
        yield from _filled(operation, constants)


def _filled(operation: Operation, constants: dict[str, tuple[str, ...]]) -> Iterator[Operation]:
    """The operation for every value of the f-string holes in it; holes without a known value stay as written."""
    fields = {key: getattr(operation, key) for key in ("name", "table", "event", "function", "new")}
    holes = [hole for hole in dict.fromkeys(_HOLE.findall(" ".join(fields.values()))) if hole in constants]
    choices = itertools.product(*(constants[hole] for hole in holes))
    for values in itertools.islice(choices, _MAX_EXPANSIONS):
        filled = dict(fields)
        for hole, value in zip(holes, values, strict=True):
            filled = {key: text.replace(f"{{{hole}}}", value) for key, text in filled.items()}
        yield dataclasses.replace(operation, **filled)


def _apply(operation: Operation, source: Source, history: History) -> None:
    match operation.kind:
        case "create-trigger":
            history.triggers[operation.table, operation.name] = (operation, source)
        case "create-function":
            history.functions[operation.name] = operation
        case "rename-table" | "rename-trigger" | "rename-function":
            _rename(operation, history)
        case _:
            history.triggers = {
                key: value for key, value in history.triggers.items() if not _drops(operation, key, value[0])
            }
            if operation.kind == "drop-function":
                history.functions.pop(operation.name, None)


def _drops(operation: Operation, key: tuple[str, str], existing: Operation) -> bool:
    table, name = key
    match operation.kind:
        case "drop-trigger":
            return name == operation.name and operation.table in {"", table}
        case "drop-table":
            return table == operation.name
        case _:
            return operation.cascade and existing.function == operation.name


def _rename(operation: Operation, history: History) -> None:
    """Carry on under the new name of a table, trigger or function."""
    if operation.kind == "rename-function" and operation.name in history.functions:
        history.functions[operation.new] = history.functions.pop(operation.name)
    renamed = [_renamed(operation, existing, source) for existing, source in history.triggers.values()]
    history.triggers = {(each.table, each.name): (each, source) for each, source in renamed}


def _renamed(operation: Operation, existing: Operation, source: Source) -> tuple[Operation, Source]:
    match operation.kind:
        case "rename-table" if existing.table == operation.name:
            return dataclasses.replace(existing, table=operation.new), source
        case "rename-function" if existing.function == operation.name:
            return dataclasses.replace(existing, function=operation.new), source
        case "rename-trigger" if (existing.name, existing.table) == (operation.name, operation.table):
            return dataclasses.replace(existing, name=operation.new), source
        case _:
            return existing, source


def _trigger(operation: Operation, source: Source, functions: dict[str, Operation]) -> Trigger:
    channels = [_argument(each, operation.arguments) for each in _channels(operation, functions, 0)]
    named = [each for each in dict.fromkeys(channels) if each != "?"]
    return Trigger(
        table=operation.table,
        event=operation.event,
        function=operation.function or operation.name,
        source=source,
        channel=", ".join(named),
        notifies=bool(channels),
        name=operation.name,
    )


def _channels(operation: Operation, functions: dict[str, Operation], depth: int) -> list[str]:
    """Channels that the trigger's own body, its function, or functions called from there notify."""
    found = list(operation.channels)
    called = [operation.function, *operation.calls]
    for name in called if depth < _MAX_CALL_DEPTH else ():
        if name in functions and functions[name] is not operation:
            found += _channels(functions[name], functions, depth + 1)
    return found


def _argument(channel: str, arguments: tuple[str, ...]) -> str:
    """`TG_ARGV[0]` as the trigger passes it."""
    match = re.fullmatch(r"TG_ARGV\[(\d+)\]", channel)
    if not match:
        return channel
    number = int(match[1])
    return arguments[number] if number < len(arguments) else "?"
