"""Delegation: build the index once, run the three workers in parallel, and take what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Gap, WorkerReport
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import ExtractedFile, extract
from evenkeel.audit.source.named_sql import named_statements
from evenkeel.audit.source.walk import walk
from evenkeel.audit.workers.remembered import key_of, recall, remember

JUDGED_KINDS = frozenset({"code", "migration", "script"})

Progress = Callable[[str, int, int], None]  # stage, done, total


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


def run_workers(
    root: Path, context: ContextStore, options: WorkerOptions, progress: Progress = _no_progress
) -> tuple[WorkerReport, ...]:
    """One report for each category, in their fixed order; a worker that failed says so in its report."""
    extracted, gaps, statements = _read(root, options, progress)
    key = key_of(extracted, context, _key_parts(options, statements)) if options.use_cache else ""
    reports = recall(key) if key else None
    if reports is None:
        from evenkeel.audit.workers.making import make_reports  # noqa: PLC0415 - a remembered run needs none of it

        files: deque[tuple[str, str, bytes]] = deque((each.path, each.kind, each.facts) for each in extracted)
        del extracted  # the index holds the facts from here on
        reports = make_reports(files, statements, context, options, progress)
        if key:
            remember(key, reports)
    return with_gaps(reports, gaps)


def _key_parts(options: WorkerOptions, statements: dict[str, str]) -> tuple[str, ...]:
    return (repr(sorted(options.select)), repr(sorted(options.ignore)), repr(options.effects), repr(statements))


def _read(
    root: Path, options: WorkerOptions, progress: Progress
) -> tuple[tuple[ExtractedFile, ...], list[Gap], dict[str, str]]:
    tree = walk(root, exclude=options.exclude)
    wanted = [each for each in tree.files if each.kind in JUDGED_KINDS]
    with FactsCache.open(enabled=options.use_cache) as cache:
        extracted = extract(wanted, cache=cache, jobs=options.jobs, progress=partial(progress, "Reading"))
    return extracted.files, [*tree.gaps, *extracted.gaps], named_statements(tree.sql)


def with_gaps(reports: Sequence[WorkerReport], gaps: Sequence[Gap]) -> tuple[WorkerReport, ...]:
    """The reports, with what else was not looked at in the first."""
    first, *rest = reports
    return (msgspec.structs.replace(first, gaps=(*gaps, *first.gaps)), *rest)
