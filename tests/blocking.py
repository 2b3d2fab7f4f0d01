"""Notices blocking calls that evenkeel's own code makes on an event loop.

CPython announces what could block to audit hooks: opening and moving files, sleeping, connecting a socket, resolving
a name, starting a process, opening an SQLite database. That needs no patching, sees calls made from C, and costs
nothing in threads without a running loop. What CPython does not announce is not noticed: reading from an open file or
socket, taking a lock, computing.

A call counts when a frame of the package stands between it and the loop. The test's own `Path.write_text` does not, nor
does a module that is imported late.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PACKAGE = str(Path(__file__).parents[1] / "src" / "evenkeel")
WAITING = frozenset({
    "glob.glob", "http.client.connect", "open", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename",
    "os.rmdir", "os.scandir", "os.symlink", "os.system", "os.truncate", "os.walk", "shutil.copyfile", "shutil.move",
    "shutil.rmtree", "smtplib.connect", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "sqlite3.connect", "subprocess.Popen", "tempfile.mkdtemp", "tempfile.mkstemp", "time.sleep",
    "urllib.Request",
})  # fmt: skip
INTERPRETER = ("<frozen importlib", "linecache.py", "traceback.py")  # reads source files when it imports and reports
LOOP = ("asyncio/events.py", "asyncio\\events.py")


class BlockingCallError(RuntimeError):
    """A call that blocks was made on the event loop. Make it asynchronous, or hand it to a thread."""


@dataclass
class Watch:
    """Whether the hook looks, which package it looks at, and what it saw. An audit hook cannot be taken off again."""

    active: bool = False
    package: str = PACKAGE
    seen: list[str] = field(default_factory=list)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook: note the call, and raise in place of it."""
        if (
            not self.active
            or event not in WAITING
            or asyncio._get_running_loop() is None
            or _is_harmless(event, arguments)
        ):
            return
        place = _caller(self.package, sys._getframe(1))
        if place:
            self.seen.append(f"{event}{arguments!r} at {place}")
            raise BlockingCallError(self.seen[-1])


def _is_harmless(event: str, arguments: tuple[object, ...]) -> bool:
    first = arguments[0] if arguments else None
    match event:
        case "open":
            return isinstance(first, int)  # wraps a descriptor that is already open
        case "time.sleep":
            return first == 0
        case "socket.connect":
            return isinstance(first, socket.socket) and first.gettimeout() == 0
        case _:
            return False


def _caller(package: str, frame: FrameType | None) -> str:
    """The innermost frame of the package between the call and the loop, as `file:line`, or nothing."""
    place = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(INTERPRETER[:1]) or file.endswith(INTERPRETER[1:]):
            return ""
        if file.endswith(LOOP):
            break
        if not place and file.startswith(package):
            place = f"{file}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return place


WATCH = Watch()
_sleep = time.sleep


def install() -> None:
    """Add the hook, once a process."""
    sys.addaudithook(WATCH.hook)
    if sys.version_info < (3, 13):  # from 3.13 on, CPython announces it
        time.sleep = _announced_sleep


def _announced_sleep(seconds: float | SupportsIndex, /) -> None:
    sys.audit("time.sleep", seconds)
    _sleep(seconds)


@contextmanager
def watched(package: str = PACKAGE) -> Iterator[list[str]]:
    """Look while the block runs; gives the list of what is seen."""
    before = (WATCH.active, WATCH.package, WATCH.seen)
    WATCH.active, WATCH.package, WATCH.seen = True, package, []
    try:
        yield WATCH.seen
    finally:
        WATCH.active, WATCH.package, WATCH.seen = before
