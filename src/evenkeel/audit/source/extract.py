"""Files to encoded facts: from the cache what did not change, the rest read in processes of their own.

A parser that crashes or hangs on a file costs that file, which becomes a gap. Facts travel and stay as msgpack bytes, those of a
large project packed, never as objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from evenkeel.audit.model.finding import Gap
from evenkeel.audit.model.packing import FILE_BYTES, PLAIN_SOURCE_BYTES, pack
from evenkeel.audit.source.cache import FactsCache, Record, Seen, digest
from evenkeel.audit.source.classify import FileKind, is_generated
from evenkeel.audit.source.decoding import is_binary, to_utf8
from evenkeel.audit.source.languages import reader, version
from evenkeel.audit.source.pool import Crash, in_processes
from evenkeel.audit.source.walk import MAX_BYTES, AuditedFile
from evenkeel.kernel.collection import without_collection

Progress = Callable[[int, int], None]  # files done, files in all
Later = Callable[[Callable[[], None]], None]  # takes what may be done later

FEW_FILES = 40  # fewer are read in this process: to start others takes longer
MANY_FILES = 5_000  # of more, the facts are kept at once: to hold them twice for a while would take too much memory
BATCH_BYTES = 200_000  # of source: about 40 ms of work, so that all processes end at nearly the same time
BATCH_FILES = 50
LINES_SHOWN = 5  # of the lines with syntax errors that a gap names


class ExtractedFile(msgspec.Struct, frozen=True, gc=False):
    """One file's facts: `facts` is an encoded FileFacts, packed or not, `key` the digest of all it depends on. `kind` is the
    walk's, or "generated" where the first lines say so: such a file is never judged, but others import from it."""

    path: str
    kind: FileKind
    facts: bytes
    key: bytes = b""


class Extracted(msgspec.Struct, frozen=True, gc=False):
    """All facts, in the order in which the files were given."""

    files: tuple[ExtractedFile, ...]
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()  # what the cache had to say
    cached: int = 0  # files whose facts came from the cache


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What reading one file gave: a record, or why there is none."""

    record: Record | None = None
    gap: Gap | None = None


def extract(
    files: Sequence[AuditedFile],
    *,
    cache: FactsCache,
    jobs: int = 2,
    progress: Progress = lambda _done, _total: None,
    meanwhile: Iterable[object] = (),
    later: Later = lambda save: save(),
) -> Extracted:
    """The facts of all files. Raises nothing for what a file holds or the cache does: both become gaps and notes.

    Where many files are read, in processes, steps of `meanwhile` are taken beside them, and `later` is given what keeps the
    facts for the next run; not of very many, for it holds these facts until then."""
    if not files:
        return Extracted(())
    root = files[0].absolute.removesuffix(files[0].path)
    found, moved = _from_cache(files, cache, root)
    cached = len(found)
    progress(cached, len(files))
    fresh: list[int] = []
    for number, reading in _fresh(files, [each for each in range(len(files)) if each not in found], jobs, meanwhile):
        found[number] = reading
        fresh.append(number)
        progress(len(found), len(files))
    save = partial(_save, files, found, (fresh, moved), (cache, root))
    later(save) if FEW_FILES <= len(fresh) <= MANY_FILES else save()
    return _extracted(files, found, cache, cached)


def _from_cache(files: Sequence[AuditedFile], cache: FactsCache, root: str) -> tuple[dict[int, Reading], list[int]]:
    """Number of a file -> what the cache has of it; and those of them whose time or place has changed."""
    known = cache.known(root)
    found: dict[int, Reading] = {}
    moved: list[int] = []
    for number, file in enumerate(files):
        seen, record = known.get(file.absolute, (None, None))
        as_it_was = seen is not None and seen[1:4] == (file.mtime_ns, file.size, _stamp(file))
        if not as_it_was or record is None or record.path != file.path:  # the root may be another one
            record = _by_content(file, cache)
            moved.append(number)
        if record is not None:
            found[number] = Reading(record)
    return found, [each for each in moved if each in found]


def _by_content(file: AuditedFile, cache: FactsCache) -> Record | None:
    if not cache.may_hold(file.path, file.size):
        return None
    source = _source(file)
    return None if isinstance(source, Gap) else cache.get(digest(_stamp(file), file.path, source))


def _fresh(
    files: Sequence[AuditedFile], missing: list[int], jobs: int, meanwhile: Iterable[object]
) -> Iterator[tuple[int, Reading]]:
    """Reads what the cache does not have; a few files here, more in processes."""
    packed = sum(each.size + FILE_BYTES for each in files) > PLAIN_SOURCE_BYTES
    if len(missing) < FEW_FILES:
        with without_collection():
            for number in missing:
                yield number, read_file(files[number], packed=packed)
        return
    for language in {files[each].language for each in missing}:
        version(language)  # loads its front end, which all processes then have
    batches = _batches(files, missing)
    work = partial(read_encoded, packed=packed)
    for number, answer in in_processes(work, files, batches, jobs=jobs, meanwhile=meanwhile):
        if isinstance(answer, Crash):
            why = f"{answer.why}; exclude it, and report it if it can be shown"
            yield number, Reading(gap=Gap("unparsed", files[number].path, why))
        else:
            yield number, msgspec.msgpack.decode(answer, type=Reading)


def _batches(files: Sequence[AuditedFile], numbers: list[int]) -> list[list[int]]:
    """Batches of about equal work, large files first, so that no process is left alone with one at the end."""
    batches: list[list[int]] = []
    left = 0
    for number in sorted(numbers, key=lambda each: -files[each].size):
        if left <= 0 or len(batches[-1]) >= BATCH_FILES:
            batches.append([])
            left = BATCH_BYTES
        batches[-1].append(number)
        left -= files[number].size
    return batches


def read_encoded(file: AuditedFile, *, packed: bool = False) -> bytes:
    """`read_file` as msgpack, for the way from one process to another."""
    return msgspec.msgpack.encode(read_file(file, packed=packed))


def read_file(file: AuditedFile, *, packed: bool = False) -> Reading:
    """Read one file into facts, packed or not. Raises nothing."""
    source = _source(file)
    if isinstance(source, Gap):
        return Reading(gap=source)
    try:
        facts = reader(file.language)(to_utf8(source, file.language), file.path, file.module)
    except Exception as error:  # a fault of ours costs this file, not the audit
        why = f"evenkeel's front end failed on it ({type(error).__name__}: {error}); please report it"
        return Reading(gap=Gap("unparsed", file.path, why))
    encoded = msgspec.msgpack.encode(facts)
    key = digest(_stamp(file), file.path, source)
    generated = file.kind != "migration" and is_generated(source)  # a tool starts a migration, a hand goes on
    kept = pack(encoded) if packed else encoded
    return Reading(Record(key, file.path, len(source), kept, facts.errors, generated))


def _source(file: AuditedFile) -> bytes | Gap:
    try:
        with Path(file.absolute).open("rb") as opened:
            source = opened.read(MAX_BYTES + 1)
    except OSError as error:
        return Gap("unreadable", file.path, f"{error.strerror or error}; give the user who audits leave to read it")
    if is_binary(source):
        return Gap("skipped", file.path, "binary data under the name of a source file")
    return source


def _stamp(file: AuditedFile) -> str:
    """What facts depend on beside the source and its path."""
    return f"{version(file.language)}/{file.kind}/{file.module}"


def _save(
    files: Sequence[AuditedFile],
    found: dict[int, Reading],
    changed: tuple[list[int], list[int]],
    place: tuple[FactsCache, str],
) -> None:
    fresh, moved = changed
    cache, root = place
    records = [record for each in fresh if (record := found[each].record)]
    seen = [
        Seen(file.absolute, file.mtime_ns, file.size, _stamp(file), record.key)
        for each in (*fresh, *moved)
        if (record := found[each].record) and (file := files[each]).size == record.source
    ]
    cache.save(records, seen, root)


def _extracted(files: Sequence[AuditedFile], found: dict[int, Reading], cache: FactsCache, cached: int) -> Extracted:
    done: list[ExtractedFile] = []
    gaps: list[Gap] = []
    for number, file in enumerate(files):
        reading = found[number]
        if reading.gap is not None:
            gaps.append(reading.gap)
        if reading.record is not None:
            kind: FileKind = "generated" if reading.record.generated else file.kind
            done.append(ExtractedFile(file.path, kind, reading.record.packed, reading.record.key))
            if reading.record.errors:
                gaps.append(_syntax(file.path, reading.record.errors))
    return Extracted(tuple(done), tuple(gaps), tuple(cache.notes), cached)


def _syntax(path: str, lines: tuple[int, ...]) -> Gap:
    shown = ", ".join(str(each) for each in lines[:LINES_SHOWN])
    more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    why = f"syntax that could not be read at line {shown}{more}; the rest of the file was read"
    return Gap("unparsed", path, why, len(lines))
