"""The walk: every file of the tree that is worth reading, what it is for, and what was passed over and why.

Nothing is written and no symbolic link is followed: what a link inside the tree points at is met under its own name,
what lies outside is a gap. Only names and file status are read here (and, to name modules, the imports of a sample).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from evenkeel.audit.model.finding import Gap
from evenkeel.audit.source.classify import FileKind, file_kind, folder_kind
from evenkeel.audit.source.ignore import Ignore, compiled, ignored, read_ignore
from evenkeel.audit.source.languages import BROWSER_ENDINGS, BROWSER_FOLDERS, BROWSER_LANGUAGES, BY_SUFFIX, Language
from evenkeel.audit.source.modules import Layout, layout_of, module_names, note_folder
from evenkeel.kernel.errors import UsageError

MAX_BYTES = 2_000_000  # code that people write is smaller; what is larger is data or made by a tool
SKIPPED_FOLDERS = frozenset(
    [
        "node_modules",
        "bower_components",
        "site-packages",
        "dist-packages",
        "__pycache__",
        "__pypackages__",
        "venv",
        "virtualenv",
        "CVS",
        "htmlcov",
    ]
)
BUILT_FOLDERS = frozenset({"build", "dist", "target"})  # build output, unless they hold `__init__.py`
FOREIGN_MARKS = frozenset({"pyvenv.cfg", "CACHEDIR.TAG"})  # a virtual environment, a tool's cache
RUNNING_KINDS = frozenset({"code", "migration", "script"})


class AuditedFile(msgspec.Struct, frozen=True, gc=False):
    """A file to read. `path` is relative to the root with forward slashes; `size` in bytes."""

    path: str
    absolute: str
    kind: FileKind
    language: str
    module: str
    size: int
    mtime_ns: int


class Walked(msgspec.Struct, frozen=True, gc=False):
    """What a walk found, sorted by path, and what it passed over."""

    root: str
    files: tuple[AuditedFile, ...]
    gaps: tuple[Gap, ...]
    sql: tuple[str, ...] = ()  # absolute paths of `.sql` files of the running code, which may hold named statements


@dataclass(slots=True)
class _Walk:
    root: str
    exclude: Ignore | None
    layout: Layout
    found: list[tuple[str, FileKind, str, os.stat_result]] = field(default_factory=list)
    sql: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unsupported: Counter[str] = field(default_factory=Counter)
    left_out: int = 0  # source files that patterns leave out


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to visit; `path` is relative to the root and ends in a slash ("" for the root), `kind` its parent's."""

    path: str
    kind: FileKind
    depth: int
    ignores: tuple[Ignore, ...]


def walk(root: Path, exclude: Sequence[str] = ()) -> Walked:
    """Walk the tree under `root`. `exclude` holds gitignore-style patterns.

    Raises UsageError when `root` is no folder; everything else that stands in the way is a gap."""
    top = root.resolve()
    if not top.is_dir():
        what = "is a file, not a folder" if top.exists() else "does not exist"
        raise UsageError(f"{root} {what}.", hint="Give the folder that holds the backend's source.")
    state = _Walk(str(top), compiled(list(exclude)), layout_of(top))
    folders = [_Folder("", "code", 0, ())]
    while folders:
        folders.extend(_visit(state, folders.pop()))
    return Walked(state.root, _files(state), _gaps(state), tuple(sorted(state.sql)))


def _files(state: _Walk) -> tuple[AuditedFile, ...]:
    state.found.sort(key=lambda each: each[0])
    names = module_names(state.layout, [path for path, _, language, _ in state.found if language == "python"])
    return tuple(
        [
            AuditedFile(
                path, f"{state.root}/{path}", kind, language, names.get(path, ""), status.st_size, status.st_mtime_ns
            )
            for path, kind, language, status in state.found
        ]
    )


def _visit(state: _Walk, folder: _Folder) -> Iterator[_Folder]:
    """Takes the files of one folder and yields the folders below that are worth entering."""
    try:
        with os.scandir(f"{state.root}/{folder.path}") as listing:
            entries = list(listing)
    except OSError as error:
        state.gaps.append(Gap("unreadable", folder.path or ".", f"the folder cannot be listed: {error.strerror}"))
        return
    names = frozenset(entry.name for entry in entries)
    own = _own(folder, names)
    if own is None:
        return
    if ".gitignore" in names and (found := read_ignore(f"{state.root}/{folder.path}", folder.path)):
        own = _Folder(own.path, own.kind, own.depth, (*own.ignores, found))
    sources: list[str] = []
    for entry in entries:
        if entry.is_symlink():
            _link(state, own, entry)
        elif entry.is_dir(follow_symlinks=False):
            if _is_entered(state, own, entry.name):
                yield _Folder(f"{own.path}{entry.name}/", own.kind, own.depth + 1, own.ignores)
        elif entry.is_file(follow_symlinks=False):
            _file(state, own, entry, sources)
    note_folder(state.layout, own.path.rstrip("/"), names, sources)


def _own(folder: _Folder, names: frozenset[str]) -> _Folder | None:
    """The folder with its own kind; None when what is in it was made elsewhere or built."""
    if not folder.path:
        return folder
    name = folder.path.rstrip("/").rpartition("/")[2]
    built = name in BUILT_FOLDERS and "__init__.py" not in names
    if built or not FOREIGN_MARKS.isdisjoint(names):
        return None
    return _Folder(folder.path, folder_kind(folder.kind, name, folder.depth - 1, names), folder.depth, folder.ignores)


def _is_entered(state: _Walk, folder: _Folder, name: str) -> bool:
    if name in SKIPPED_FOLDERS or name[0] == "." or name.endswith(".egg-info"):
        return False
    if not _is_printable(name):
        state.gaps.append(Gap("unreadable", ascii(folder.path + name), "the folder's name is not UTF-8; rename it"))
        return False
    return not _is_left_out(state, folder, f"{name}/")


def _is_left_out(state: _Walk, folder: _Folder, name: str) -> bool:
    path = folder.path + name
    if state.exclude and state.exclude.verdict(path, name):
        return True
    return bool(folder.ignores) and ignored(folder.ignores, path, name)


def _is_printable(name: str) -> bool:
    """Whether a name is UTF-8 on disk, so that a report can hold it."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _file(state: _Walk, folder: _Folder, entry: os.DirEntry[str], sources: list[str]) -> None:
    language = _language(entry.name)
    if language is None:
        if entry.name.endswith(".sql") and folder.kind == "code" and not _is_left_out(state, folder, entry.name):
            state.sql.append(entry.path)
        return
    if _is_left_out(state, folder, entry.name):
        state.left_out += 1
        return
    path, kind = folder.path + entry.name, file_kind(folder.kind, entry.name)
    if not language.reader:
        if kind in RUNNING_KINDS and not _runs_in_browser(language, path):
            state.unsupported[language.name] += 1
    elif not _is_printable(entry.name):
        state.gaps.append(Gap("unreadable", ascii(path), "the file's name is not UTF-8; rename it"))
    else:
        sources.append(entry.name)
        _take(state, path, (kind, language), entry)


def _take(state: _Walk, path: str, nature: tuple[FileKind, Language], entry: os.DirEntry[str]) -> None:
    kind, language = nature
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        state.gaps.append(Gap("unreadable", path, f"its status cannot be read: {error.strerror}"))
        return
    if status.st_size <= MAX_BYTES:
        state.found.append((path, kind, language.name, status))
    elif kind in RUNNING_KINDS:
        size, limit = status.st_size / 1e6, MAX_BYTES / 1e6
        why = f"{size:.1f} MB, over the limit of {limit:g} MB; split it, or exclude it if a tool made it"
        state.gaps.append(Gap("skipped", path, why))


def _language(name: str) -> Language | None:
    return BY_SUFFIX.get(name.rpartition(".")[2].lower())


def _runs_in_browser(language: Language, path: str) -> bool:
    if language.name not in BROWSER_LANGUAGES:
        return False
    return path.endswith(BROWSER_ENDINGS) or not BROWSER_FOLDERS.isdisjoint(path.split("/"))


def _link(state: _Walk, folder: _Folder, entry: os.DirEntry[str]) -> None:
    """Notes a link that leads out of the tree; one that stays inside leads to what is met anyway."""
    target = os.path.realpath(entry.path)
    inside = target == state.root or target.startswith(f"{state.root.rstrip('/')}/")
    name = entry.name
    matters = Path(target).is_dir() or _language(name) is not None
    if inside or not matters or name in SKIPPED_FOLDERS or name[0] == "." or _is_left_out(state, folder, name):
        return
    why = "a symbolic link that leads out of the audited folder; audit its target on its own"
    what = folder.path + name
    state.gaps.append(Gap("skipped", what if _is_printable(name) else ascii(what), why))


def _gaps(state: _Walk) -> tuple[Gap, ...]:
    gaps = sorted(state.gaps, key=lambda each: each.what)
    for name, count in sorted(state.unsupported.items()):
        gaps.append(
            Gap("unsupported", name, "there is no front end for this language yet; its files were not read", count)
        )
    if state.left_out and not state.found:
        why = "every source file is left out by .gitignore or the exclude patterns; change them or audit another folder"
        gaps.append(Gap("skipped", ".gitignore", why, state.left_out))
    return tuple(gaps)
