"""Reports of earlier runs: when nothing that a report depends on has changed, it is read and not made again.

A report depends on the facts of every file, the context store, the options, and evenkeel itself (its sources and data,
by name, size and time). All of it goes into the key. What cannot be read or written is made again: never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec

import evenkeel
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import WorkerReport
from evenkeel.audit.source.cache import cache_folder
from evenkeel.audit.source.extract import ExtractedFile

OWN_PARTS = ("audit", "kernel")
KEPT = 40  # results; the oldest go first
_decoder = msgspec.msgpack.Decoder(tuple[WorkerReport, ...])


def key_of(files: Iterable[ExtractedFile], context: ContextStore, options: Iterable[str]) -> str:
    """The key of a run, 32 hexadecimal digits."""
    state = hashlib.blake2b(own_state(), digest_size=16)
    for text in options:
        state.update(text.encode(errors="surrogatepass") + b"\0")
    state.update(msgspec.json.encode(context))
    for each in files:
        state.update(f"{each.path}\0{each.kind}\0".encode(errors="surrogatepass"))
        state.update(each.key)
    return state.hexdigest()


@lru_cache(maxsize=1)
def own_state() -> bytes:
    """Name, size and time of every file of this package that an audit depends on."""
    root = Path(evenkeel.__file__).parent
    state = hashlib.blake2b(evenkeel.__version__.encode())
    for part in OWN_PARTS:
        for folder, folders, names in os.walk(root / part):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".py", ".toml", ".md")):
                    path = f"{folder}/{name}"
                    stat = os.stat(path)  # noqa: PTH116 - a Path for each takes longer than the question
                    state.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return state.digest()


def recall(key: str) -> tuple[WorkerReport, ...] | None:
    """The reports kept under a key, or None."""
    path = _folder() / key
    try:
        reports = _decoder.decode(path.read_bytes())
        os.utime(path)
    except (OSError, msgspec.MsgspecError):
        return None
    return reports


def remember(key: str, reports: tuple[WorkerReport, ...]) -> None:
    """Keep the reports of a run that completed; drop the oldest when there are too many."""
    if any(each.status != "completed" for each in reports):
        return
    folder = _folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{key}.{os.getpid()}"
        partial.write_bytes(msgspec.msgpack.encode(reports))
        partial.replace(folder / key)
        _evict(folder)


def _evict(folder: Path) -> None:
    kept = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for each in kept[KEPT:]:
        each.unlink(missing_ok=True)


def _folder() -> Path:
    return cache_folder() / "results"
