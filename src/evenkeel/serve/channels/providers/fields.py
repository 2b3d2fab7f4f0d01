"""Reading other people's JSON: a missing or wrong field is None, never a crash."""

from __future__ import annotations

from typing import Any

import msgspec

from evenkeel.serve.channels.providers.port import UnreadableError


def document(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises `UnreadableError`."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableError("The body is not JSON.", hint="Send the provider's event as it is.") from None
    if not isinstance(value, dict):
        raise UnreadableError("The body is not a JSON object.", hint="Send the provider's event as it is.")
    return value


def at(value: Any, *path: str) -> Any:
    """What stands at a path of keys; None where the path ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any, *path: str) -> str:
    """A text at a path, trimmed; "" for anything else."""
    found = at(value, *path)
    return found.strip() if isinstance(found, str) else ""


def first_text(value: Any, *names: str) -> str:
    """The first of these fields that holds a text."""
    return next((found for found in (text(value, name) for name in names) if found), "")


def items(value: Any, *path: str) -> list[Any]:
    """A list at a path; [] for anything else."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def number(value: Any, *path: str) -> float | None:
    """A number at a path, also one that is written as a text."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        return float(found)
    except ValueError:
        return None
