"""Settings from TOML: one section into one typed value, unknown keys refused by their path.

`evenkeel.toml` in the root wins over `[tool.evenkeel]` in its `pyproject.toml`; the two are never mixed. Tables of
other acts in the same section are left alone.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from evenkeel.kernel.errors import ConfigurationError

T = TypeVar("T", bound=msgspec.Struct)

OWN_FILE = "evenkeel.toml"
PROJECT_FILE = "pyproject.toml"
_PREFIX = "tool.evenkeel"
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_WRONG = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)


def load_settings(root: Path, shape: type[T], *, others: Collection[str] = ()) -> T:
    """The settings that the project at `root` states, as `shape`; its defaults when there are none.

    `others`: keys of the section that belong to someone else. Raises ConfigurationError, which names file and key."""
    own = root / OWN_FILE
    if own.is_file():
        return convert(_without(_read(own), others), shape, source=OWN_FILE)
    section = _project_section(root / PROJECT_FILE)
    return convert(_without(section, others), shape, source=PROJECT_FILE, prefix=_PREFIX)


def convert(data: dict[str, Any], shape: type[T], *, source: str, prefix: str = "", strict: bool = True) -> T:
    """Plain data as `shape`. Raises ConfigurationError for an unknown key or a value of the wrong type.

    Not `strict`: texts that stand for numbers and truth values are taken as such, as an environment has them."""
    try:
        return msgspec.convert(data, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise _explained(str(error), shape, source, prefix) from None


def read_toml(path: Path) -> dict[str, Any]:
    """A whole file. Raises ConfigurationError, which names it."""
    return _read(path)


def _project_section(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = _read(path)
    except ConfigurationError:
        if _mentions_evenkeel(path):
            raise
        return {}  # a broken manifest without our section is discovery's to report
    tool = data.get("tool")
    section = tool.get("evenkeel", {}) if isinstance(tool, dict) else {}
    if not isinstance(section, dict):
        raise ConfigurationError(f"{path.name}: {_PREFIX} is not a table.", hint=f"Write it as [{_PREFIX}].")
    return section


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {error.strerror}.", hint="Mend its permissions."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} is not valid TOML: {error}.", hint="Mend that line first.") from error


def _mentions_evenkeel(path: Path) -> bool:
    try:
        return f"[{_PREFIX}".encode() in path.read_bytes()
    except OSError:
        return False


def _without(data: dict[str, Any], others: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in others}


def _explained(message: str, shape: type[msgspec.Struct], source: str, prefix: str) -> ConfigurationError:
    unknown = _UNKNOWN.fullmatch(message)
    if unknown:
        key = _joined(prefix, unknown["path"] or "", unknown["name"])
        return ConfigurationError(f"{source}: {key} is not a known setting.", hint=_suggestion(unknown, shape))
    wrong = _WRONG.fullmatch(message)
    what, path = (wrong["what"], wrong["path"] or "") if wrong else (message, "")
    return ConfigurationError(f"{source}: {_joined(prefix, path)}: {what}.", hint="Change that value.")


def _suggestion(unknown: re.Match[str], shape: type[msgspec.Struct]) -> str:
    if unknown["path"]:
        return "Check its spelling, or remove it."
    known = [each.encode_name for each in msgspec.structs.fields(shape)]
    close = difflib.get_close_matches(unknown["name"], known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known settings: {', '.join(known)}."


def _joined(*parts: str) -> str:
    return ".".join(each.strip(".") for each in parts if each.strip(".")) or "the file"
