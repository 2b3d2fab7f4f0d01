"""Where text goes: stdout, stderr, files. Text of the audited code must not act on whoever reads it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from evenkeel.kernel.errors import UsageError

_LOG_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)  # a line that a GitHub runner would obey
_OLD_LOG_COMMAND = re.compile(r"##(?=\[|vso\[)")  # obeyed anywhere in a line


def print_text(text: str, *, trusted: bool = False) -> None:
    """UTF-8 on stdout, whatever the locale. A reader who leaves early is no error.

    `trusted`: text that is made to be obeyed by a runner, and has escaped what it quotes."""
    try:
        shown = text if trusted else harmless(text)
        sys.stdout.buffer.write(shown.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more; the interpreter must not try to flush it at exit


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(harmless(f"evenkeel: {' '.join(text.split())}\n"))


def print_aside(text: str) -> None:
    """UTF-8 on stderr: what must not mix with a report on stdout."""
    sys.stderr.flush()
    sys.stderr.buffer.write(harmless(text).encode("utf-8", "backslashreplace"))
    sys.stderr.buffer.flush()


def harmless(text: str) -> str:
    """Text that a runner which reads commands from its log will not obey. Elsewhere it stays as it is."""
    if not os.environ.get("GITHUB_ACTIONS") and not os.environ.get("TF_BUILD"):
        return text
    return _OLD_LOG_COMMAND.sub("# #", _LOG_COMMAND.sub(r"\1: ", text))


def write_file(path: Path, text: str) -> None:
    """Write a report. Raises UsageError when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", hint="Choose another file.") from error
