"""Facts between runs: one SQLite file in the user's cache folder, never in the audited tree.

A record's key is a digest of the source, of its path and module name (both stand in the facts) and of the version of
front end and grammar. A shortcut from (absolute path, modification time, size) to the key saves reading what did not
change.

The cache is a convenience: when it is damaged it is started anew, when it cannot be used the audit runs without, and
`notes` says so. Two audits may run at once: each reads at its start and writes in one transaction at its end. Records
hold facts as they come, packed or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
import platformdirs

LIMIT_BYTES = 512_000_000  # of records
KEPT_SHARE = 0.8  # of the limit that stays when records have to go
USED_AGAIN_S = 86_400  # how old the time of last use may grow before it is written again
# What changed this shortly before it was seen may change again without its time moving: clocks of file systems are
# coarse.
SETTLED_S = 2
WAIT_S = 10.0  # for another audit that is writing
FILE_NAME = "facts-1.sqlite3"  # another layout of the tables gets another name
TABLES = """
CREATE TABLE IF NOT EXISTS record (
    key BLOB PRIMARY KEY, path TEXT NOT NULL, source INTEGER NOT NULL, about BLOB NOT NULL, packed BLOB NOT NULL,
    checksum INTEGER NOT NULL, length INTEGER NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_path ON record (path, source);
CREATE INDEX IF NOT EXISTS record_used ON record (used, length);
CREATE TABLE IF NOT EXISTS seen (
    absolute TEXT PRIMARY KEY, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL, stamp TEXT NOT NULL, key BLOB NOT NULL
) WITHOUT ROWID;
"""


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is kept of one file: its facts, packed in a large project, the lines of syntax errors, and whether a tool wrote it."""

    key: bytes
    path: str  # relative to the audited root
    source: int  # size of the source in bytes
    packed: bytes
    errors: tuple[int, ...] = ()
    generated: bool = False


class Seen(NamedTuple):
    """A file as it was when its record was made; `stamp` is what else the key depends on."""

    absolute: str
    mtime_ns: int
    size: int
    stamp: str
    key: bytes


def digest(stamp: str, path: str, source: bytes) -> bytes:
    """The key of a record, 16 bytes; `stamp` holds the module name and the version of the front end."""
    state = hashlib.blake2b(f"{stamp}\0{path}\0".encode("utf-8", "surrogatepass"), digest_size=16)
    state.update(source)
    return state.digest()


def cache_folder() -> Path:
    """`EVENKEEL_CACHE_DIR`, else the user's cache folder."""
    return Path(os.environ.get("EVENKEEL_CACHE_DIR") or platformdirs.user_cache_dir("evenkeel", appauthor=False))


class FactsCache:
    """The cache of one audit. Nothing is opened before the first question; no method raises for what the cache does."""

    def __init__(
        self, folder: Path | None, limit_bytes: int = LIMIT_BYTES, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self.notes: list[str] = []
        self._folder = folder
        self._limit = limit_bytes
        self._connection: sqlite3.Connection | None = None

    @classmethod
    def open(cls, *, enabled: bool = True, folder: Path | None = None) -> Self:
        """The cache in `folder` (default: `cache_folder()`); one that holds and keeps nothing when not enabled."""
        return cls((folder or cache_folder()) if enabled else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def known(self, root: str) -> dict[str, tuple[Seen, Record]]:
        """Absolute path -> what is known of the files below `root`, as they were when they were last seen."""
        self._connect(Path(root))
        rows = self._rows(
            "SELECT absolute, mtime_ns, size, stamp, seen.key, path, source, packed, about, checksum FROM seen"
            " JOIN record ON record.key = seen.key WHERE absolute >= ? AND absolute < ?",
            _between(root),
        )
        return {row[0]: (Seen(*row[:5]), record) for row in rows for record in _records([row[4:]])}

    def may_hold(self, path: str, source: int) -> bool:
        """Whether some record is of a file of this relative path and size: only then reading it to ask can pay."""
        return bool(self._rows("SELECT 1 FROM record WHERE path = ? AND source = ? LIMIT 1", (path, source)))

    def get(self, key: bytes) -> Record | None:
        """The record of that key."""
        rows = self._rows("SELECT key, path, source, packed, about, checksum FROM record WHERE key = ?", (key,))
        return next(_records(rows), None)

    def save(self, records: Iterable[Record], seen: Sequence[Seen], root: str) -> None:
        """Keep records and shortcuts, note that those below `root` were used; above the limit the oldest go."""
        connection = self._connection
        if connection is None:
            return
        now = int(self._clock())
        with self._guarded("could not be written"), _transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (_row(each, now) for each in records)
            )
            rows = [each for each in seen if each.mtime_ns < (now - SETTLED_S) * 1_000_000_000]
            connection.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", rows)
            _use(connection, root, now)
            _evict(connection, self._limit)

    def _connect(self, root: Path) -> None:
        folder = self._folder
        if folder is None or self._connection is not None:
            return
        if folder.resolve().is_relative_to(root):
            self.notes.append(f"The cache {folder} lies in the audited folder and is not used; set EVENKEEL_CACHE_DIR.")
            return
        with self._guarded("could not be opened"):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _opened(folder / FILE_NAME)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                (folder / FILE_NAME).unlink()
                self._connection = _opened(folder / FILE_NAME)
                self.notes.append(f"The cache in {folder} was damaged and has been started anew.")

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if self._connection is not None:
            with self._guarded("could not be read"):
                return self._connection.execute(statement, values).fetchall()
        return []

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turns a failure into a note; what is damaged is removed, so that the next run starts anew."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.close()
            self.notes.append(f"The cache in {self._folder} {what} ({error}); this audit runs without it.")
            if _is_damage(error) and self._folder is not None:
                with contextlib.suppress(OSError):
                    (self._folder / FILE_NAME).unlink()


def _is_damage(error: Exception) -> bool:
    """Whether a file is damaged or no database at all: then sqlite3 raises the bare class, not one of its children."""
    return type(error) is sqlite3.DatabaseError


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # what a power cut damages is made again
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'seen'").fetchone():
            with _transaction(connection):
                for statement in TABLES.split(";"):
                    connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _use(connection: sqlite3.Connection, root: str, now: int) -> None:
    connection.execute(
        "UPDATE record SET used = ? WHERE used < ? AND key IN"
        " (SELECT key FROM seen WHERE absolute >= ? AND absolute < ?)",
        (now, now - USED_AGAIN_S, *_between(root)),
    )


def _between(root: str) -> tuple[str, str]:
    """Bounds of the absolute paths below a folder: "0" is the character after "/"."""
    folder = root.rstrip("/")
    return f"{folder}/", f"{folder}0"


def _evict(connection: sqlite3.Connection, limit: int) -> None:
    """Above the limit, the records that were not used for longest go, down to a share of it."""
    total = connection.execute("SELECT COALESCE(SUM(length), 0) FROM record").fetchone()[0]
    if total <= limit:
        return
    doomed = []
    for key, length in connection.execute("SELECT key, length FROM record ORDER BY used, rowid"):
        if total <= limit * KEPT_SHARE:
            break
        doomed.append((key,))
        total -= length
    connection.executemany("DELETE FROM record WHERE key = ?", doomed)
    connection.execute("DELETE FROM seen WHERE key NOT IN (SELECT key FROM record)")


def _row(record: Record, now: int) -> tuple[object, ...]:
    about = msgspec.msgpack.encode((record.errors, record.generated))
    packed = record.packed
    return record.key, record.path, record.source, about, packed, _checksum(packed, about), len(packed), now


def _checksum(packed: bytes, about: bytes) -> int:
    return zlib.crc32(about, zlib.crc32(packed))


def _records(rows: Iterable[Sequence[Any]]) -> Iterator[Record]:
    """The records of rows (key, path, source, packed, about, checksum); damaged ones are left out."""
    for key, path, source, packed, about, checksum in rows:
        if _checksum(packed, about) == checksum:
            errors, generated = msgspec.msgpack.decode(about)
            yield Record(key, path, source, packed, tuple(errors), generated)
