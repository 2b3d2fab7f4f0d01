"""Delegation: build the index once, run the three workers in parallel, and take what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from evenkeel.audit.effects.apart import build_index_apart
from evenkeel.audit.effects.build import SourceFile
from evenkeel.audit.effects.loading import load
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import CATEGORIES, Gap, WorkerReport
from evenkeel.audit.model.index import Index
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import ModuleView, decoded_ahead
from evenkeel.audit.rules import rules_of
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import ExtractedFile, extract
from evenkeel.audit.source.named_sql import named_statements
from evenkeel.audit.source.walk import walk
from evenkeel.audit.workers.judging import judge
from evenkeel.audit.workers.remembered import key_of, recall, remember
from evenkeel.kernel.forks import Answer, Send, run_forked

JUDGED_KINDS = frozenset({"code", "migration", "script"})

SMALL_BYTES = 4_000_000  # of packed facts, some 170,000 lines: so much is decoded once and held until the end

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
        files: deque[SourceFile] = deque((each.path, each.kind, each.facts) for each in extracted)
        del extracted  # the index holds the facts from here on
        reports = _made(files, statements, context, options, progress)
        if key:
            remember(key, reports)
    return _with_gaps(reports, gaps)


def _key_parts(options: WorkerOptions, statements: dict[str, str]) -> tuple[str, ...]:
    return (repr(sorted(options.select)), repr(sorted(options.ignore)), repr(options.effects), repr(statements))


def _made(
    files: deque[SourceFile],
    statements: dict[str, str],
    context: ContextStore,
    options: WorkerOptions,
    progress: Progress,
) -> tuple[WorkerReport, ...]:
    total = max(len(files), 1)
    taken = (files.popleft() for _ in range(len(files)))
    index = build_index_apart(taken, load("python", options.effects), jobs=options.jobs, statements=statements)
    held = decoded_ahead(index) if index.facts.size <= SMALL_BYTES else {}
    works = [
        partial(_work, name, title, _chosen(rules_of(name), options), index, context, held)
        for name, title, _ in CATEGORIES
    ]
    answers = run_forked(
        works,
        timeout_s=options.timeout_s,
        on_progress=lambda worker, done: progress(CATEGORIES[worker][1], done, total),
    )
    reports = [_report(name, title, answer) for (name, title, _), answer in zip(CATEGORIES, answers, strict=True)]
    first, *rest = _with_gaps(reports, _index_gaps(index))
    return (msgspec.structs.replace(first, remarks=index.remarks), *rest)


def _read(
    root: Path, options: WorkerOptions, progress: Progress
) -> tuple[tuple[ExtractedFile, ...], list[Gap], dict[str, str]]:
    tree = walk(root, exclude=options.exclude)
    wanted = [each for each in tree.files if each.kind in JUDGED_KINDS]
    with FactsCache.open(enabled=options.use_cache) as cache:
        extracted = extract(wanted, cache=cache, jobs=options.jobs, progress=partial(progress, "Reading"))
    return extracted.files, [*tree.gaps, *extracted.gaps], named_statements(tree.sql)


def _chosen(rules: Iterable[Rule], options: WorkerOptions) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in rules
        if (not options.select or rule.slug in options.select) and rule.slug not in options.ignore
    )


def _work(
    name: str,
    title: str,
    rules: tuple[Rule, ...],
    index: Index,
    context: ContextStore,
    held: dict[str, ModuleView],
    send: Send,
) -> bytes:
    return msgspec.msgpack.encode(judge(name, title, rules, index, context, send, held))


def _report(name: str, title: str, answer: Answer) -> WorkerReport:
    if answer.error:
        gap = Gap("worker", name, answer.error)
        return WorkerReport(name, title, "failed", gaps=(gap,), note=answer.error, seconds=answer.seconds)
    report = msgspec.msgpack.decode(answer.result, type=WorkerReport)
    return msgspec.structs.replace(report, seconds=answer.seconds)


def _index_gaps(index: Index) -> tuple[Gap, ...]:
    if not index.unresolved:
        return ()
    why = "calls on values whose type nothing in the code tells; what they do is not known"
    return (Gap("unresolved", "dynamic calls", why, index.unresolved),)


def _with_gaps(reports: Sequence[WorkerReport], gaps: Sequence[Gap]) -> tuple[WorkerReport, ...]:
    first, *rest = reports
    return (msgspec.structs.replace(first, gaps=(*gaps, *first.gaps)), *rest)
