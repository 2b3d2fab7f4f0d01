"""Delegation: read the source, build the index once, run the three workers in parallel, and take what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import CATEGORIES, Gap, WorkerReport
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import FEW_FILES, ExtractedFile, extract
from evenkeel.audit.source.named_sql import named_statements
from evenkeel.audit.source.walk import Walked, walk
from evenkeel.audit.workers.remembered import key_of, own_state, recall, remember

if TYPE_CHECKING:
    from evenkeel.audit.effects.catalogue import Catalogue

JUDGED_KINDS = frozenset({"code", "migration", "script"})

Progress = Callable[[str, int, int], None]  # stage, done, total


def _nothing() -> None:
    """Where nothing is to be kept."""


def _no_progress(_stage: str, _done: int, _total: int) -> None:
    """For callers that do not show any."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How the workers run. `select`/`ignore` are slugs; an empty `select` means all."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    exclude: tuple[str, ...] = ()  # gitignore-style patterns
    jobs: int = 2
    timeout_s: float = 300.0  # of each worker
    use_cache: bool = True
    effects: dict[str, Any] = field(default_factory=dict)  # the user's own catalogue


@dataclass(slots=True)
class Source:
    """What was read. `files` are consumed by whoever links them, so that their facts are held once."""

    files: deque[ExtractedFile] = field(default_factory=deque)
    gaps: Sequence[Gap] = ()
    statements: dict[str, str] = field(default_factory=dict)  # SQL that stands in files, by name
    keep: Callable[[], None] = _nothing  # keeps the facts for the next run
    catalogue: Catalogue | None = None  # loaded while processes were reading


def run_workers(
    root: Path,
    context: ContextStore,
    options: WorkerOptions,
    progress: Progress = _no_progress,
    source: Source | None = None,
) -> tuple[WorkerReport, ...]:
    """One report for each category, in their fixed order; a worker that failed says so in its report.

    `source`: what `read_source` gave of the root; it is used up."""
    source = source or read_source(find_source(root, options), options, progress)
    key = key_of(source.files, context, _key_parts(options, source.statements)) if options.use_cache else ""
    reports = recall(key) if key else None
    if reports is None:
        from evenkeel.audit.workers.making import make_reports  # noqa: PLC0415 - a remembered run needs none of it

        reports = make_reports(source, context, options, progress)
        if key:
            remember(key, reports)
    else:
        source.keep()
    return with_gaps(reports, source.gaps)


def _key_parts(options: WorkerOptions, statements: dict[str, str]) -> tuple[str, ...]:
    return (repr(sorted(options.select)), repr(sorted(options.ignore)), repr(options.effects), repr(statements))


def find_source(root: Path, options: WorkerOptions) -> Walked:
    """The files of a code base."""
    return walk(root, exclude=options.exclude)


def is_small(tree: Walked) -> bool:
    """Whether a code base is read in no time, so that to start a process beside that would take longer."""
    return len(tree.files) < FEW_FILES


def read_source(tree: Walked, options: WorkerOptions, progress: Progress = _no_progress) -> Source:
    """The facts of every file that is judged, from the cache or read anew. Raises ConfigurationError for effects of the user's
    that cannot be used, or `run_workers` will."""
    wanted = [each for each in tree.files if each.kind in JUDGED_KINDS]
    source = Source(statements=named_statements(tree.sql))
    cache = FactsCache.open(enabled=options.use_cache)
    try:
        extracted = extract(
            wanted,
            cache=cache,
            jobs=options.jobs,
            progress=partial(progress, "Reading"),
            meanwhile=_preparations(source, options),
            later=partial(_keep_later, source, cache),
        )
    finally:
        if source.keep is _nothing:
            cache.close()
    source.files.extend(extracted.files)
    source.gaps = [*tree.gaps, *extracted.gaps]
    return source


def _keep_later(source: Source, cache: FactsCache, save: Callable[[], None]) -> None:
    waiting = [save]  # it holds the facts, and is let go of once it is done

    def keep() -> None:
        with cache:
            while waiting:
                waiting.pop()()

    source.keep = keep


def _preparations(source: Source, options: WorkerOptions) -> Iterator[None]:
    """What reports are made with, loaded piece by piece."""
    from evenkeel.audit.effects.loading import load  # noqa: PLC0415 - a run that reads nothing anew needs none of it

    yield
    source.catalogue = load("python", options.effects)
    yield
    from evenkeel.audit.rules import rules_of  # noqa: PLC0415
    from evenkeel.audit.workers import making  # noqa: F401, PLC0415 - to link with

    for name, _, _ in CATEGORIES:
        yield
        rules_of(name)
    yield
    own_state()


def with_gaps(reports: Sequence[WorkerReport], gaps: Sequence[Gap]) -> tuple[WorkerReport, ...]:
    """The reports, with what else was not looked at in the first."""
    first, *rest = reports
    return (msgspec.structs.replace(first, gaps=(*gaps, *first.gaps)), *rest)
