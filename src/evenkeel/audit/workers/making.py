"""Reports made anew: the index built once, then three workers, each in a process of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from evenkeel.audit.effects.apart import Meanwhile, build_index_apart
from evenkeel.audit.effects.build import SourceFile
from evenkeel.audit.effects.loading import load
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import CATEGORIES, Gap, WorkerReport
from evenkeel.audit.model.index import Index
from evenkeel.audit.model.packing import packed_size
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import ModuleView, decoded_ahead, mark_ahead
from evenkeel.audit.rules import rules_of
from evenkeel.audit.source.extract import ExtractedFile
from evenkeel.audit.workers.delegation import Progress, Source, WorkerOptions, with_gaps
from evenkeel.audit.workers.judging import judge
from evenkeel.kernel.forks import Answer, Send, run_forked

SMALL_BYTES = 4_000_000  # of packed facts, some 170,000 lines: so much is decoded once and held until the end


def make_reports(
    source: Source, context: ContextStore, options: WorkerOptions, progress: Progress
) -> tuple[WorkerReport, ...]:
    """One report for each category. The files of `source` are consumed."""
    total = max(len(source.files), 1)
    held: dict[str, ModuleView] = {}
    index = build_index_apart(
        _taken(source.files),
        source.catalogue or load("python", options.effects),
        jobs=options.jobs,
        statements=source.statements,
        meanwhile=Meanwhile(source.keep, lambda index: held.update(_opened(index))),
    )
    mark_ahead(held)
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
    first, *rest = with_gaps(reports, _index_gaps(index))
    return (msgspec.structs.replace(first, remarks=index.remarks), *rest)


def _taken(files: deque[ExtractedFile]) -> Iterator[SourceFile]:
    while files:
        each = files.popleft()
        yield each.path, each.kind, each.facts


def _opened(index: Index) -> dict[str, ModuleView]:
    return decoded_ahead(index) if packed_size(index.facts) <= SMALL_BYTES else {}


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
