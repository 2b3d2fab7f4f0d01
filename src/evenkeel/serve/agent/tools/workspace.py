"""Files of one workspace: every path is walked from the root, directory by directory, without following a link.

Synchronous; `files.py` runs it off the loop. What cannot be done is a `ToolProblemError` that names the path as the
model wrote it, never one of this machine.
"""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from evenkeel.serve.agent.settings import WorkspaceSettings
from evenkeel.serve.agent.tools.kinds import ToolProblemError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in the way must not block
MATCHES = 100
LINE_CHARS = 300
NAME_BYTES = 255
_UNDER_WAY = re.compile(r"\.[0-9a-f]{32}\.part")
"""What a file is called while it is being written: nobody is shown it."""


def workspace_name(user_id: str, agent_id: str) -> str:
    """A directory name for any ids: readable, and different ids never share one."""
    return f"{_name(user_id)}/{_name(agent_id) if agent_id else 'main'}"


def _name(identity: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", identity)[:48]
    digest = blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{plain}-{digest}"


def parts_of(path: str) -> list[str]:
    """The names on the way from the root. A leading slash means the root of the workspace."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in {"", "."}]
    for part in parts:
        if part == ".." or "\0" in part or len(part.encode("utf-8", "surrogatepass")) > NAME_BYTES:
            raise ToolProblemError(f"The path {path!r} leads out of the workspace or is no path.")
    return parts


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files below one directory, within the bounds of the settings."""

    root: Path
    bounds: WorkspaceSettings

    def read(self, path: str) -> str:
        """A file's text; bytes that are no UTF-8 are shown as replacement characters."""
        with self._parent(path) as (parent, name):
            return self._bytes(parent, name, path).decode("utf-8", "replace")

    def write(self, path: str, content: str) -> int:
        """Make or replace a file, whole or not at all; answers its size in bytes."""
        data = content.encode("utf-8", "replace")
        if len(data) > self.bounds.file_bytes:
            raise ToolProblemError(f"{path} would have {len(data)} bytes; the bound is {self.bounds.file_bytes}.")
        with self._parent(path, make=True) as (parent, name):
            kind = _kind(parent, name)
            if kind not in {"file", "none"}:
                raise ToolProblemError(f"{path} is a {kind}, not a file.")
            beside = f".{uuid.uuid4().hex}.part"
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
            try:
                with os.fdopen(file, "wb") as out:
                    out.write(data)
                os.replace(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                os.unlink(beside, dir_fd=parent)
                raise
        return len(data)

    def edit(self, path: str, old: str, new: str, *, everywhere: bool) -> int:
        """Replace a text that stands there once (or everywhere); answers how often it was replaced."""
        if not old:
            raise ToolProblemError("The text to replace is empty.")
        text = self.read(path)
        count = text.count(old)
        if count == 0:
            raise ToolProblemError(f"{path} does not hold that text.")
        if count > 1 and not everywhere:
            raise ToolProblemError(f"{path} holds that text {count} times; give more of what stands around it.")
        self.write(path, text.replace(old, new))
        return count

    def entries(self, path: str) -> tuple[list[dict[str, Any]], bool]:
        """Files and directories below a directory, by path; True = there are more than the bound."""
        found: list[dict[str, Any]] = []
        for shown, parent, name in self._walk(path):
            if len(found) >= self.bounds.list_entries:
                return found, True
            info = _status(parent, name)
            if info is not None:
                found.append({"path": shown, "type": _of(info.st_mode), "size_bytes": info.st_size})
        return found, False

    def search(self, query: str, path: str) -> tuple[list[dict[str, Any]], bool]:
        """Lines that hold a text, upper or lower case; True = not everything was looked at."""
        wanted, found, files = query.casefold(), list[dict[str, Any]](), 0
        for shown, parent, name in self._walk(path):
            if _kind(parent, name) != "file":
                continue
            files += 1
            if files > self.bounds.search_files:
                return found, True
            try:
                text = self._bytes(parent, name, shown).decode("utf-8", "replace")
            except ToolProblemError:
                continue  # too large, or gone meanwhile
            for number, line in enumerate(text.splitlines(), 1):
                if wanted in line.casefold():
                    found.append({"path": shown, "line": number, "text": line[:LINE_CHARS]})
                    if len(found) >= MATCHES:
                        return found, True
        return found, False

    def _bytes(self, parent: int, name: str, path: str) -> bytes:
        try:
            file = os.open(name, _FILE, dir_fd=parent)
        except OSError as error:
            raise _problem(path, error) from None
        with os.fdopen(file, "rb") as opened:
            info = os.fstat(opened.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise ToolProblemError(f"{path} is a {_of(info.st_mode)}, not a file.")
            if info.st_size > self.bounds.file_bytes:
                raise ToolProblemError(f"{path} has {info.st_size} bytes; the bound is {self.bounds.file_bytes}.")
            return opened.read(self.bounds.file_bytes)

    @contextmanager
    def _directory(self, parts: list[str], path: str, *, make: bool = False) -> Iterator[int]:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                try:
                    if make:
                        with suppress(FileExistsError):  # also made by another call at the same time
                            os.mkdir(part, 0o700, dir_fd=at)
                    below = os.open(part, _DIRECTORY, dir_fd=at)
                except OSError as error:
                    raise _problem(path, error) from None
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        parts = parts_of(path)
        if not parts:
            raise ToolProblemError("The path names the workspace itself, not a file.")
        if len(parts) > self.bounds.depth:
            raise ToolProblemError(f"{path} is more than {self.bounds.depth} directories deep.")
        with self._directory(parts[:-1], path, make=make) as parent:
            yield parent, parts[-1]

    def _walk(self, path: str) -> Iterator[tuple[str, int, str]]:
        parts = parts_of(path)
        with self._directory(parts, path) as top:
            yield from self._below(top, "/".join(parts), self.bounds.depth)

    def _below(self, directory: int, shown: str, depth: int) -> Iterator[tuple[str, int, str]]:
        """Other calls work here at the same time: what is gone by the time it is looked at was never there."""
        for name in sorted(os.listdir(directory)):
            if _UNDER_WAY.fullmatch(name):
                continue
            inside = f"{shown}/{name}" if shown else name
            yield inside, directory, name
            if depth > 1 and _kind(directory, name) == "directory":
                try:
                    below = os.open(name, _DIRECTORY, dir_fd=directory)
                except OSError:
                    continue
                try:
                    yield from self._below(below, inside, depth - 1)
                finally:
                    os.close(below)


def _status(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _kind(parent: int, name: str) -> str:
    info = _status(parent, name)
    return "none" if info is None else _of(info.st_mode)


def _of(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "special file"


def _problem(path: str, error: OSError) -> ToolProblemError:
    if isinstance(error, FileNotFoundError):
        return ToolProblemError(f"{path} does not exist.")
    if isinstance(error, (NotADirectoryError, PermissionError)) or error.errno in {40, 62}:  # ELOOP: a link
        return ToolProblemError(f"{path} leads over a link, or over what is no directory.")
    return ToolProblemError(f"{path}: {error.strerror}.")
