"""The page of the server's settings, from the shapes that read them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from evenkeel.serve.settings import DEFAULTS, Settings, keys
from tools.reference_parts import metrics_page, switches_page

ABOUT = (
    "For `evenkeel serve --config FILE` (TOML; a section is a table), or as `EVENKEEL_<SECTION>__<KEY>` in the "
    "environment, which wins over the file; options win over both. An unknown key is refused by its path."
)


def server_page() -> Iterator[tuple[str, str]]:
    """Every section with what its shape says of itself, and the defaults."""
    lines = ["# Settings of the server", "", ABOUT, ""]
    plain = [(name, hint) for name, hint in keys(Settings).items() if _shape(hint) is None]
    lines += [*_table([(name, _default(Settings, name, {})) for name, _ in plain]), ""]
    for name, hint in keys(Settings).items():
        shape = _shape(hint)
        if shape is not None:
            lines += _section(name, shape, DEFAULTS.get(name, {}))
    yield "server.md", "\n".join(lines)


def _section(path: str, shape: type, given: dict[str, Any]) -> list[str]:
    lines = [f"## `{path}`", "", _text(shape), ""]
    rows, inner = [], []
    for name, hint in keys(shape).items():
        table = _shape(hint) or _shape(get_args(hint)[-1:] and get_args(hint)[-1])
        if table is None:
            rows.append((name, _default(shape, name, given)))
        elif "accounts" not in name:  # two names deep: said in the text
            below = f"{path}.{name}" if _shape(hint) else f"{path}.{name}.NAME"
            inner += _section(below, table, {})
    return [*lines, *_table(rows), "", *inner]


def _shape(hint: Any) -> type | None:
    for each in (hint, *(get_args(hint) if type(None) in get_args(hint) else ())):
        if isinstance(each, type) and (dataclasses.is_dataclass(each) or issubclass(each, msgspec.Struct)):
            return each
    return None


def _text(shape: type) -> str:
    """A docstring with its paragraphs, each on one line."""
    paragraphs = inspect.cleandoc(shape.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _default(shape: type, name: str, given: dict[str, Any]) -> str:
    value = given.get(name, _own_default(shape, name))
    if value is None or value is msgspec.NODEFAULT or value is dataclasses.MISSING or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _own_default(shape: type, name: str) -> Any:
    if dataclasses.is_dataclass(shape):
        return next(each.default for each in dataclasses.fields(shape) if each.name == name)
    field = next(each for each in msgspec.structs.fields(shape) if each.name == name)
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def _table(rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return ["| Key | Default |", "|---|---|", *(f"| `{name}` | {value} |" for name, value in rows)]


SECOND_ACT = (metrics_page, server_page, switches_page)
