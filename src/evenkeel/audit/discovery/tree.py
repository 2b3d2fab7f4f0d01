"""The audited tree as discovery sees it: one walk, shared by every finder, and bounded reads.

Nothing is written, no symbolic link is followed (what a link inside the tree points at is met under its own name; what
lies outside is not part of the audit), and a file that cannot be read becomes a note.
"""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Folders that hold what others wrote, what a tool made, or what version control keeps.
SKIPPED_FOLDERS = frozenset({
    "node_modules", "bower_components", "jspm_packages", "site-packages", "dist-packages", "__pycache__",
    "__pypackages__", "venv", "virtualenv", "CVS", "_build", "htmlcov", "DerivedData",
})  # fmt: skip
KEPT_HIDDEN_FOLDERS = frozenset({".hex-skills", ".devcontainer", ".docker"})
# A file of this name in a folder says that the folder is a virtual environment or another tool's cache.
_FOREIGN_MARKS = ("pyvenv.cfg", "CACHEDIR.TAG")
MAX_FILES = 1_000_000
MAX_DEPTH = 40

# Code that is not the running backend: its engines and listeners say nothing about production.
_SAMPLES = (
    "tests?|testing|e2e|__tests__|spec|specs|fixtures|examples?|samples|benchmarks?|third_party|vendor|testdata|mocks?"
    "|templates?"
)
_SAMPLE_FOLDER = re.compile(rf"(?:^|/)(?:{_SAMPLES})(?:/|$)")
_ASIDE_FOLDER = re.compile(rf"(?:^|/)(?:{_SAMPLES}|docs?)(?:/|$)")
_ASIDE_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*\.(?:test|spec)|conftest)\.[a-z]+$")


@dataclass(slots=True)
class Tree:
    """`files` maps a lower-case suffix without dot ("" for none) to sorted paths, relative to `root`, with slashes."""

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    count: int = 0

    def note(self, file: str, reason: str) -> None:
        """Remember that `file` could not be used, and why."""
        self.notes.append(f"{file}: {reason}" if file else reason)

    def named(self, *names: str) -> list[str]:
        """Every file with one of these exact names, shallow folders first."""
        suffixes = {_suffix(name) for name in names}
        found = [path for suffix in sorted(suffixes) for path in self.files.get(suffix, ()) if _name(path) in names]
        return by_depth(found)

    def matching(self, suffixes: Iterable[str], pattern: re.Pattern[str]) -> list[str]:
        """Every file with one of the suffixes whose whole path `pattern` finds, shallow folders first."""
        return by_depth(path for suffix in suffixes for path in self.files.get(suffix, ()) if pattern.search(path))

    def head(self, path: str, limit: int) -> bytes:
        """The first `limit` bytes of a file; b"" and a note when it cannot be read."""
        try:
            handle = os.open(f"{self.root}/{path}", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            try:
                # a buffer of the file's size: one of the limit's size costs more than the read
                return os.read(handle, min(limit, os.fstat(handle).st_size))
            finally:
                os.close(handle)
        except OSError as error:
            self.note(path, f"could not be read ({error.strerror or error})")
            return b""

    def text(self, path: str, limit: int = 1_000_000) -> str:
        """A file's text, lines ended by `\\n`; "" and a note when it is unreadable, binary, or over `limit` bytes."""
        data = self.head(path, limit + 1)
        if len(data) > limit:
            self.note(path, f"is larger than {limit:,} bytes and was not read")
            return ""
        if (text := decode(data)) is None:
            self.note(path, "is not text and was not read")
            return ""
        return text


def walk(root: Path) -> Tree:
    """Walk `root` once. Folders that cannot be listed become notes; the walk itself never raises."""
    tree = Tree(root)
    folders = [("", 0)]
    while folders and tree.count < MAX_FILES:
        folder, depth = folders.pop()
        names, below = _list(tree, folder)
        for name in names:
            tree.files.setdefault(_suffix(name), []).append(folder + name)
        tree.count += len(names)
        if depth < MAX_DEPTH:
            folders.extend((f"{folder}{name}/", depth + 1) for name in sorted(below, reverse=True))
    if folders:
        tree.note("", f"the tree holds more than {MAX_FILES:,} files; the rest was not looked at")
    for paths in tree.files.values():
        paths.sort()
    return tree


def _list(tree: Tree, folder: str) -> tuple[list[str], list[str]]:
    """Names of the regular files and of the folders worth entering; both empty for a foreign folder."""
    names: list[str] = []
    below: list[str] = []
    try:
        with os.scandir(f"{tree.root}/{folder}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    names.append(entry.name)
    except OSError as error:
        tree.note(folder or ".", f"could not be listed ({error.strerror or error})")
    if folder and any(mark in names for mark in _FOREIGN_MARKS):
        return [], []
    kept = {name for name in below if name not in SKIPPED_FOLDERS and _is_visible(name)}
    if "Cargo.toml" in names or "pom.xml" in names:
        kept.discard("target")
    return _printable(tree, folder, names), _printable(tree, folder, list(kept))


def _is_visible(folder: str) -> bool:
    return folder[0] != "." or folder in KEPT_HIDDEN_FOLDERS


def _printable(tree: Tree, folder: str, names: list[str]) -> list[str]:
    """Names that can be written in a report; others (not UTF-8 on disk) become a note."""
    good = [name for name in names if name.isascii() or not re.search("[\ud800-\udfff]", name)]
    if len(good) < len(names):
        tree.note(folder or ".", f"{len(names) - len(good)} names are not UTF-8 and were left out")
    return good


def decode(data: bytes) -> str | None:
    """Text of UTF-8 or UTF-16 with a byte order mark (what some shells write); None for binary data."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        return None
    else:
        text = data.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_aside(path: str) -> bool:
    """Whether a file is test, example, documentation or vendored code rather than part of the running backend."""
    return bool(_ASIDE_FOLDER.search(path.rpartition("/")[0]) or _ASIDE_FILE.search(path))


def is_sample(path: str) -> bool:
    """Whether a document belongs to tests, examples, templates or vendored code rather than to the project."""
    return bool(_SAMPLE_FOLDER.search(path.rpartition("/")[0]))


def by_depth(paths: Iterable[str]) -> list[str]:
    """Paths sorted by number of folders, then by name."""
    return sorted(paths, key=lambda path: (path.count("/"), path))


def parent(path: str) -> str:
    """The folder of a path, without a slash at its end; "" for the root."""
    return path.rpartition("/")[0]


def joined(folder: str, name: str) -> str | None:
    """`name` as written in a file of `folder`, relative to the root; None when it leads out of the tree."""
    parts: list[str] = [] if name.startswith("/") else [part for part in folder.split("/") if part]
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def line_at(text: str, position: int) -> int:
    """The 1-based line of a position in a text."""
    return text.count("\n", 0, position) + 1


def line_of(text: str, needle: str, start: int = 0) -> int:
    """The 1-based line on which `needle` first stands at or after `start`; 0 when it does not."""
    found = text.find(needle, start)
    return line_at(text, found) if found >= 0 else 0


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their 1-based numbers."""
    return enumerate(text.split("\n"), start=1)


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return suffix.lower() if dot and stem else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]
