"""`.gitignore` files, nested, as git reads them; fast enough to ask for each entry of a tree of 100,000 files.

Nearly no entry matches any pattern, so one combined expression is asked first, on the bare name where the pattern has
no slash; only a hit is put to `pathspec`, which knows the exact rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathspec


MAX_BYTES = 1_000_000  # no one writes a larger .gitignore


@dataclass(frozen=True, slots=True)
class Ignore:
    """The patterns of one file; `base` is its folder, relative to the root and ended by a slash ("" for the root)."""

    base: str
    spec: pathspec.GitIgnoreSpec
    names: re.Pattern[str] | None  # asked about the last part of a path
    paths: re.Pattern[str] | None  # asked about the whole path from `base`

    def verdict(self, path: str, name: str) -> bool | None:
        """True: left out; False: taken back in; None: no pattern says anything. A folder's path and name end in `/`."""
        inside = path[len(self.base) :]
        if (self.names and self.names.match(name)) or (self.paths and self.paths.match(inside)):
            return self.spec.check_file(inside).include
        return None


def ignored(ignores: tuple[Ignore, ...], path: str, name: str) -> bool:
    """Whether the innermost file that says anything leaves this path out."""
    for each in reversed(ignores):
        verdict = each.verdict(path, name)
        if verdict is not None:
            return verdict
    return False


def read_ignore(folder: str, base: str) -> Ignore | None:
    """The `.gitignore` of a folder; None when it cannot be read or holds no pattern."""
    try:
        with Path(folder, ".gitignore").open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    return compiled(text.splitlines(), base)


def compiled(lines: list[str], base: str = "") -> Ignore | None:
    """Patterns of one file; None when there are none. Lines that git would refuse are passed over."""
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - takes as long to load as to walk a thousand files
    from pathspec.patterns.gitignore import GitIgnorePatternError  # noqa: PLC0415

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except GitIgnorePatternError:
        spec = GitIgnoreSpec.from_lines([line for line in lines if _is_valid(line)])
    names: list[str] = []
    paths: list[str] = []
    for pattern in spec.patterns:
        if pattern.include is None or pattern.regex is None:
            continue
        written = str(pattern.pattern).strip().removeprefix("!").rstrip("/")
        expression = pattern.regex.pattern.replace("(?P<ps_d>", "(?:")
        if "/" in written:
            paths.append(expression)
        else:
            names.append(expression.replace("^(?:.+/)?", "^", 1))  # a name has no folders before it
    if not names and not paths:
        return None
    return Ignore(base, spec, _combined(names), _combined(paths))


def _is_valid(line: str) -> bool:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415
    from pathspec.patterns.gitignore import GitIgnorePatternError  # noqa: PLC0415

    try:
        GitIgnoreSpec.from_lines([line])
    except GitIgnorePatternError:
        return False
    return True


def _combined(expressions: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{each})" for each in expressions)) if expressions else None
