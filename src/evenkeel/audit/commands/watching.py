"""`--watch`: audit, wait until files change and then rest, audit again; Ctrl-C ends it.

Names, sizes and times of all files are compared, as often as the tree's size allows: no more than a tenth of the time goes
into looking.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from evenkeel.audit.commands.output import say
from evenkeel.audit.source.walk import SKIPPED_FOLDERS
from evenkeel.kernel.errors import EvenkeelError

PAUSE_S = 0.3  # between two looks, at least
SHARE = 10  # a look may take one part in so many
ENDED = 0

Look = dict[str, tuple[int, int]]  # path -> time of change, size


def watch(
    root: Path,
    run: Callable[[], int],
    written: Iterable[Path] = (),
    *,
    pause: Callable[[float], None] = time.sleep,
    rounds: int | None = None,
) -> int:
    """Run now and after every change. An error of one run is told and the next change awaited.

    `written`: files that a run writes itself, which are no change. `rounds`:
    how many runs there are; None: until Ctrl-C, which is the way to end it and no failure."""
    apart = frozenset(str(each.resolve()) for each in written)
    done = 0
    try:
        while True:
            before = look(root, apart)
            _told(run)
            done += 1
            if done == rounds:
                return ENDED
            say("watching; Ctrl-C ends it.")
            _changed(root, apart, before, pause)
    except KeyboardInterrupt:
        return ENDED


def look(root: Path, apart: frozenset[str] = frozenset()) -> Look:
    """Every file below the root that may matter: hidden folders, dependencies and caches are left out."""
    found: Look = {}
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                _noted(list(entries), found, pending)
        except OSError:
            continue  # gone meanwhile, or not ours to read: the audit says so
    return {path: state for path, state in found.items() if path not in apart}


def _noted(entries: list[os.DirEntry[str]], found: Look, pending: list[str]) -> None:
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED_FOLDERS and not entry.name.startswith("."):
                pending.append(entry.path)
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        found[entry.path] = (status.st_mtime_ns, status.st_size)


def _told(run: Callable[[], int]) -> None:
    try:
        run()
    except EvenkeelError as error:
        say(str(error))


def _changed(root: Path, apart: frozenset[str], before: Look, pause: Callable[[float], None]) -> None:
    """Returns once the tree differs from `before` and has stayed the same for one pause: an editor writes in steps."""
    last = before
    while True:
        started = time.monotonic()
        now = look(root, apart)
        if now != before and now == last:
            return
        last = now
        pause(max(PAUSE_S, SHARE * (time.monotonic() - started)))
