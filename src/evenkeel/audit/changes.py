"""Changes: the lines of the working tree that differ from a revision, as git tells them, renames followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenkeel.audit.model.finding import Finding
from evenkeel.kernel.errors import UnavailableError, UsageError

TIMEOUT_S = 120.0
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
_DIFF = (
    "diff", "--unified=0", "--find-renames", "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all",
    "--src-prefix=a/", "--dst-prefix=b/", "--relative", "--diff-filter=d",
)  # fmt: skip

Span = tuple[int, int]  # first and last line


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a revision. Paths are relative to the audited root; None instead of spans: the whole file."""

    since: str
    files: Mapping[str, tuple[Span, ...] | None]

    def touches(self, finding: Finding) -> bool:
        """Whether a changed line is among the finding's own lines or on its way, from the entry point to the effect."""
        steps = [(each.file, each.line, each.line) for each in (*finding.entry_path, *finding.path)]
        return any(self._has(*each) for each in [(finding.file, finding.line, finding.end_line), *steps])

    def _has(self, file: str, first: int, last: int) -> bool:
        if file not in self.files:
            return False
        spans = self.files[file]
        return spans is None or any(start <= last and first <= end for start, end in spans)


def changes_since(root: Path, revision: str) -> Changes:
    """The changes of the tree at `root` since it parted from `revision`: commits, staged and unstaged edits, new files.

    Raises UsageError outside of a git checkout or for an unknown revision, UnavailableError when git fails."""
    if not revision or revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision.", hint="Give a branch, tag or commit: --diff main.")
    if _git(root, "rev-parse", "--is-inside-work-tree", check=False).strip() != b"true":
        hint = "Run it in a clone, or leave --diff out and use a baseline."
        raise UsageError(f"--diff needs a git checkout, and {root} is not in one.", hint=hint)
    start = _start(root, revision)
    found: dict[str, tuple[Span, ...] | None] = dict(parsed(_git(root, *_DIFF, start, "--", ".")))
    new = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    found.update((os.fsdecode(name), None) for name in new.split(b"\0") if name)
    return Changes(revision, found)


def parsed(diff: bytes) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """File and changed lines, from a diff without context. Where lines were only taken out, those around count."""
    lines = diff.split(b"\n")
    number, name = 0, ""
    spans: list[Span] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        hunk = _HUNK.match(line)
        if hunk:
            removed, added = (int(hunk[each] or b"1") for each in (1, 3))
            spans.append(_span(int(hunk[2]), added))
            number += removed + added  # what stands in them is never read as a header
        elif line.startswith(b"diff --git "):
            yield from _ended(name, spans)
            name, spans = "", []
        elif line.startswith(b"+++ "):
            name = _path(line[4:])
    yield from _ended(name, spans)


def _ended(name: str, spans: Sequence[Span]) -> Iterator[tuple[str, tuple[Span, ...]]]:
    if name and spans:
        yield name, tuple(spans)


def _span(start: int, count: int) -> Span:
    return (start, start + count - 1) if count else (start, start + 1)


def _path(written: bytes) -> str:
    """A path of a `+++` line, which git puts in quotes when it holds something unusual."""
    text = written.rstrip(b"\t\r")
    if text.startswith(b'"'):
        text = _ESCAPE.sub(_unescaped, text[1:-1])
    return os.fsdecode(text.removeprefix(b"b/"))


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) & 0xFF]) if len(code) == 3 else _LETTERS.get(code, code)


def _start(root: Path, revision: str) -> str:
    """The commit to compare with: where the work parted from the revision, or the revision where nothing tells that."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", check=False)
    if not commit.strip():
        hint = "Fetch it first (in CI: the whole history), or check its spelling."
        raise UsageError(f"git knows no revision {revision!r} here.", hint=hint)
    start = commit.decode().strip()
    parting = _git(root, "merge-base", start, "HEAD", check=False).decode().split()
    return parting[0] if parting else start


def _git(root: Path, *arguments: str, check: bool = True) -> bytes:
    import subprocess  # noqa: PLC0415 - most runs start no program

    # fsmonitor names a program to run, and an audited tree may bring its own configuration
    command = ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments]
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise UsageError("--diff needs git, which is not installed.", hint="Install it, or leave --diff out.") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"git {arguments[0]} took over {TIMEOUT_S:g} s.", hint="Try again.") from None
    if check and done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise UnavailableError(f"git {arguments[0]} failed: {said}.", hint="Mend that, or leave --diff out.")
    return done.stdout
