"""What SQL text does to triggers and the functions that they run. Positions are those of the text that was given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID = r"(?:\"[^\"\n]+\"|`[^`\n]+`|\[\w+\]|[\w$]*(?:\{[^{}\n]*\}[\w$]*)+|[\w$%]+)"
_NAME = rf"{_ID}(?:\s*\.\s*{_ID})*"
_EVENT = r"(?:INSERT|DELETE|TRUNCATE|UPDATE(?:\s+OF\s+[\w\",\s]+?)?|\{[^{}\n]*\})"
_FLAGS = re.IGNORECASE | re.DOTALL
_TRIGGER = re.compile(
    rf"\bCREATE\s+(?:OR\s+(?:REPLACE|ALTER)\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:TEMP(?:ORARY)?\s+)?(?:CONSTRAINT\s+)?"
    rf"TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})\s+(?:(?:BEFORE|AFTER|INSTEAD\s+OF|\{{[^{{}}\n]*\}})\s+)?"
    rf"(?P<events>{_EVENT}(?:\s+OR\s+{_EVENT})*)\s+ON\s+(?P<table>{_NAME})",
    _FLAGS,
)
_EXECUTE = re.compile(rf"\bEXECUTE\s+(?:FUNCTION|PROCEDURE)\s+(?P<function>{_NAME})\s*\((?P<arguments>[^)]*)\)", _FLAGS)
_INLINE = re.compile(r"\bBEGIN\b|\bFOR\s+EACH\s+(?:ROW|STATEMENT)\b|\bCALL\b", _FLAGS)
_FUNCTION = re.compile(rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+(?P<name>{_NAME})\s*\(", _FLAGS)
_BODY = re.compile(r"\bAS\s+(?P<tag>\$\w*\$|')", _FLAGS)
_DROP = re.compile(
    rf"\bDROP\s+(?P<what>TRIGGER|FUNCTION|PROCEDURE|TABLE)\s+(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})(?:\s*\([^)]*\))?"
    rf"(?:\s+ON\s+(?P<table>{_NAME}))?(?P<cascade>\s+CASCADE)?",
    _FLAGS,
)
_RENAME = re.compile(
    rf"\bALTER\s+(?P<what>TABLE|TRIGGER|FUNCTION|PROCEDURE)\s+(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})(?:\s*\([^)]*\))?"
    rf"(?:\s+ON\s+(?P<table>{_NAME}))?\s+RENAME\s+TO\s+(?P<new>{_NAME})",
    _FLAGS,
)
_NOTIFY = re.compile(
    r"\bpg_notify\s*\(\s*(?P<channel>[^;]*?)\s*[,;]|(?<![\w'])NOTIFY\s+(?P<plain>\"[^\"]+\"|\w+)"
    r"|'NOTIFY\s+(?P<built>\w*)\s*",
    _FLAGS,
)
_PART = re.compile(_ID)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r"'([^']*)'")

Kind = Literal[
    "create-trigger",
    "drop-trigger",
    "rename-trigger",
    "create-function",
    "drop-function",
    "rename-function",
    "drop-table",
    "rename-table",
]


_DROPPED: dict[str, Kind] = {
    "TRIGGER": "drop-trigger",
    "TABLE": "drop-table",
    "FUNCTION": "drop-function",
    "PROCEDURE": "drop-function",
}
_RENAMED: dict[str, Kind] = {
    "TRIGGER": "rename-trigger",
    "TABLE": "rename-table",
    "FUNCTION": "rename-function",
    "PROCEDURE": "rename-function",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One statement. `new` is the name after a renaming. `channels` are those that a body notifies (see
    `_channels`), `calls` the names that a function's body calls, `arguments` the strings that a trigger passes."""

    kind: Kind
    position: int
    name: str = ""
    table: str = ""
    event: str = ""
    function: str = ""
    arguments: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    cascade: bool = False
    new: str = ""


def operations(sql: str) -> list[Operation]:
    """Every operation in the text, in order. Comments are ignored."""
    text = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), sql)
    functions = list(_functions(text))
    outside = text  # what a function's body says about tables is not done when the migration runs
    for _, start, end in functions:
        outside = outside[:start] + re.sub(r"[^\n]", " ", outside[start:end]) + outside[end:]
    found = [operation for operation, _, _ in functions]
    found += [*_triggers(outside, text), *_drops(outside)]
    return sorted(found, key=lambda each: each.position)


def bare(name: str) -> str:
    """An identifier without schema and quotes: `public."jobs"` is jobs."""
    parts = _PART.findall(name)
    return parts[-1].strip('"`[]') if parts else name.strip()


def _triggers(outside: str, text: str) -> Iterator[Operation]:
    for match in _TRIGGER.finditer(outside):
        rest = outside[match.end() : match.end() + 4_000]
        statement = rest.partition(";")[0]
        execute = _EXECUTE.search(statement)
        if execute is None and not _INLINE.search(statement):
            continue
        body = "" if execute else _inline_body(text, match.end())
        yield Operation(
            "create-trigger",
            match.start(),
            bare(match["name"]),
            bare(match["table"]),
            _events(match["events"]),
            bare(execute["function"]) if execute else "",
            tuple(_STRING.findall(execute["arguments"])) if execute else (),
            _channels(body),
        )


def _inline_body(text: str, start: int) -> str:
    end = re.compile(r"\bEND\b\s*(?:;|\$|\Z|\")", re.IGNORECASE).search(text, start)
    return text[start : end.start()] if end else ""


def _functions(text: str) -> Iterator[tuple[Operation, int, int]]:
    """(operation, start and end of the body) of every function."""
    for match in _FUNCTION.finditer(text):
        opening = _BODY.search(text, match.end())
        if opening is None:
            continue
        tag = opening["tag"]
        end = text.find(tag, opening.end())
        end = len(text) if end < 0 else end
        body = text[opening.end() : end]
        calls = tuple(dict.fromkeys(bare(call) for call in re.findall(r"([\w.]+)\s*\(", body)))
        operation = Operation(
            "create-function", match.start(), bare(match["name"]), channels=_channels(body), calls=calls
        )
        yield operation, opening.end(), end


def _drops(text: str) -> Iterator[Operation]:
    for match in _DROP.finditer(text):
        kind = _DROPPED[match["what"].upper()]
        table = bare(match["table"] or "")
        yield Operation(kind, match.start(), bare(match["name"]), table, cascade=bool(match["cascade"]))
    for match in _RENAME.finditer(text):
        renamed = _RENAMED[match["what"].upper()]
        table = bare(match["table"] or "")
        yield Operation(renamed, match.start(), bare(match["name"]), table, new=bare(match["new"]))


def _events(written: str) -> str:
    """`INSERT or update of state` is `INSERT OR UPDATE`."""
    parts = re.split(r"\s+OR\s+", written, flags=re.IGNORECASE)
    events = [re.split(r"\s+OF\b", part.strip(), flags=re.IGNORECASE)[0] for part in parts]
    return " OR ".join(event if event.startswith("{") else event.upper() for event in events)


def _channels(body: str) -> tuple[str, ...]:
    """The channels that a body notifies: literal prefix and `*` for a computed name, `TG_ARGV[n]` for an argument of
    the trigger, "?" for what cannot be told."""
    found = []
    for match in _NOTIFY.finditer(body):
        if match["plain"]:
            found.append(bare(match["plain"]))
        elif match["built"] is not None:
            found.append(f"{match['built']}*" if match["built"] else "?")
        else:
            found.append(_channel(match["channel"], body))
    return tuple(dict.fromkeys(found))


def _channel(expression: str, body: str) -> str:
    folded = expression.strip()
    if match := re.fullmatch(r"'([^']*)'(?:::\w+)?", folded):
        return match[1]
    if match := re.search(r"TG_ARGV\s*\[\s*(\d+)\s*\]", folded, re.IGNORECASE):
        return f"TG_ARGV[{match[1]}]"
    if match := re.match(r"(?:format\s*\(|concat(?:_ws)?\s*\(|\()?\s*'([^'%]*)", folded, re.IGNORECASE):
        return f"{match[1]}*"
    if re.fullmatch(r"\w+", folded):
        assigned = re.search(rf"\b{folded}\b[\w\s]*:?=\s*([^;]+);", body, re.IGNORECASE)
        return _channel(assigned[1], "") if assigned else "?"
    return "?"
