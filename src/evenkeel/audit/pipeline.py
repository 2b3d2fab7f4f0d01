"""The audit, phase by phase: a tree in, one result and at most one tracker task out.

Every phase takes the run so far and answers with more of it. The coordinator never judges code: the workers do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from evenkeel.audit.aggregate import aggregate, merged_gaps
from evenkeel.audit.baseline import Baseline
from evenkeel.audit.changes import Changes
from evenkeel.audit.model.briefing import Briefing, practices
from evenkeel.audit.model.context import ContextStore, build_context, published
from evenkeel.audit.model.explanation import Explanation
from evenkeel.audit.model.finding import Gap, WorkerReport
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.model.settings import AuditSettings
from evenkeel.audit.report.completion import definition_of_done, tracker_item
from evenkeel.audit.report.localised import localised
from evenkeel.audit.report.markdown import render
from evenkeel.audit.report.summary import executive_summary
from evenkeel.audit.research import Provider, sources
from evenkeel.audit.research import research as ask
from evenkeel.audit.rules import categories_of_rules
from evenkeel.audit.scoring import overall
from evenkeel.audit.selection import judged_slugs, per_file, slugs_of
from evenkeel.audit.suppressions import build_suppressions, notices
from evenkeel.audit.tracker import NoTracker, Receipt, Task, Tracker, task_of
from evenkeel.audit.view import narrowed
from evenkeel.audit.wording import wording_of
from evenkeel.audit.workers import Source, WorkerOptions, find_source, is_small, read_source, run_workers
from evenkeel.kernel.errors import EvenkeelError, UsageError
from evenkeel.kernel.forks import run_forked

Progress = Callable[[str, int, int], None]  # what is under way, done, total
T = TypeVar("T")

DISCOVERY_S = 900.0  # at the most, before it is done again in this process


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How this run goes: the project's settings and what the caller alone decides."""

    date: str  # YYYY-MM-DD, printed in the report
    settings: AuditSettings = field(default_factory=AuditSettings)
    tracker: Tracker = field(default_factory=NoTracker)
    providers: tuple[Provider, ...] | None = None  # of good practice, in the order in which to ask; None: the handbook
    use_cache: bool = True
    baseline: Baseline | None = None  # its findings are not reported
    changes: Changes | None = None  # only findings that these touch are reported


@dataclass(frozen=True, slots=True)
class AuditRun:
    """What is known after a phase. Each phase fills in its own part and reads those before it."""

    root: Path
    options: AuditOptions
    progress: Progress
    profile: Profile = field(default_factory=lambda: Profile(root="."))
    source: Source | None = None  # used up by the workers
    briefing: Briefing = field(default_factory=Briefing)
    context: ContextStore | None = None
    reports: tuple[WorkerReport, ...] = ()
    result: AuditResult | None = None


def discovery(run: AuditRun) -> AuditRun:
    """1. Metadata only: the stack, the database configuration, triggers, decisions, the tracker's board. The source is read
    beside it, for the workers."""
    options = _worker_options(run)
    tree = find_source(run.root, options)
    read = partial(read_source, tree, options, run.progress)
    if is_small(tree):
        return replace(run, profile=_discovered(run.root), source=read())
    profile, source = _at_once(run.root, read)
    return replace(run, profile=profile, source=source)


def _discovered(root: Path) -> Profile:
    from evenkeel.audit.discovery import discover  # noqa: PLC0415 - loaded where it is used, which is beside the reading

    return discover(root)


def _at_once(root: Path, read: Callable[[], Source]) -> tuple[Profile, Source]:
    found: list[Source] = []
    try:
        answer = run_forked(
            [lambda _: msgspec.msgpack.encode(_discovered(root))],
            timeout_s=DISCOVERY_S,
            meanwhile=lambda: found.append(read()),
        )[0]
        # Whatever went wrong over there is a plain exception here.
        profile = _discovered(root) if answer.error else msgspec.msgpack.decode(answer.result, type=Profile)
    except BaseException:
        _keep(*found)
        raise
    return profile, found[0]


def _keep(*sources: Source) -> None:
    """What was read is not read again, though a phase before the workers failed; its cache is closed. Once is enough."""
    for each in sources:
        each.keep()


def research(run: AuditRun) -> AuditRun:
    """2. Good practice for what was found, asked for once."""
    told = partial(run.progress, "research")
    return replace(run, briefing=ask(run.profile, run.options.providers, told))


def context(run: AuditRun) -> AuditRun:
    """3. The context store, built once and passed to every worker."""
    return replace(run, context=build_context(run.profile, practices(run.briefing)))


def delegation(run: AuditRun) -> AuditRun:
    """4. Three workers, in parallel and isolated. One that dies or times out leaves the others' results standing."""
    reports = run_workers(run.root, _known(run.context), _worker_options(run), run.progress, run.source)
    _refuse_nothing_read(run, reports)
    return replace(run, reports=reports)


def aggregation(run: AuditRun) -> AuditRun:
    """5. Findings merged, weighed, sorted, scored."""
    suppressions = build_suppressions(
        (remark for report in run.reports for remark in report.remarks),
        list(categories_of_rules()),
        per_file(run.options.settings),
    )
    categories = aggregate(run.reports, run.profile, suppressions)
    score = overall([each.score for each in categories if each.score is not None])
    result = AuditResult(
        date=run.options.date,
        context=published(_known(run.context)),
        categories=categories,
        overall_score=score,
        summary="",
        sources=sources(run.briefing.pages),
        gaps=(*_profile_gaps(run.profile), *merged_gaps(run.reports)),
    )
    unjudged = rules_not_run(run.options.settings, result)
    said = notices(suppressions, categories, unjudged)
    result = msgspec.structs.replace(result, notices=said)
    seen = narrowed(result, run.options.baseline, run.options.changes, unjudged)
    summary = executive_summary(seen.categories, score)
    return replace(run, result=msgspec.structs.replace(seen, summary=summary))


def tracking(run: AuditRun) -> AuditRun:
    """6. One tracker task with the whole report, and the definition of done."""
    result = _known(run.result)
    say = wording_of(run.options.settings.lang)
    whole = _done(run, result, Receipt(created=True, note="this task"))
    asked = not isinstance(run.options.tracker, NoTracker)  # else nobody would read the text
    text = render(localised(whole, say), say) if asked else ""
    task = task_of(result, text, run.root.name, run.profile.board)
    receipt = (
        _created(run.options.tracker, task) if task else Receipt(created=False, note="nothing to mend, so no task")
    )
    return replace(run, result=_done(run, result, receipt))


PHASES: tuple[Callable[[AuditRun], AuditRun], ...] = (
    discovery,
    research,
    context,
    delegation,
    aggregation,
    tracking,
)


def audit(root: Path, options: AuditOptions, progress: Progress = lambda *_: None) -> AuditResult:
    """Audit the backend at `root`. Nothing is written into it.

    Raises UsageError when there is nothing there to audit, ConfigurationError when its settings cannot be used."""
    run = AuditRun(root=checked_root(root), options=options, progress=progress)
    slugs_of((*options.settings.select, *options.settings.ignore))
    per_file(options.settings)
    try:
        for phase in PHASES:
            progress(phase.__name__, 0, 1)
            run = phase(run)
            progress(phase.__name__, 1, 1)
    finally:
        if run.source is not None:
            _keep(run.source)
    return _known(run.result)


def explain(root: Path, options: AuditOptions, file: str, line: int) -> Explanation:
    """What is known of one line, and what each rule says of it. `file` is relative to the root.

    Raises what `audit` raises for wrong settings."""
    from evenkeel.audit.workers.explaining import explain_line  # noqa: PLC0415 - an audit needs none of it

    run = AuditRun(root=checked_root(root), options=options, progress=lambda *_: None)
    run = replace(run, profile=_discovered(run.root))
    for phase in (research, context):
        run = phase(run)
    return explain_line(run.root, file, line, _known(run.context), _worker_options(run))


def rules_not_run(settings: AuditSettings, result: AuditResult) -> frozenset[str]:
    """The rules of which a result says nothing: not selected, crashed, or of a worker that failed."""
    return frozenset(categories_of_rules()) - judged_slugs(settings, result.categories, result.gaps)


def checked_root(root: Path) -> Path:
    """The root as an absolute path. Raises UsageError when it is not a folder that can be read and holds something."""
    again = "Give the folder that holds the backend."
    try:
        if not root.exists():
            raise UsageError(f"{root} does not exist.", hint=again)
        if not root.is_dir():
            raise UsageError(f"{root} is a file.", hint=again)
        with os.scandir(root) as entries:
            if next(entries, None) is None:
                raise UsageError(f"{root} is empty.", hint=again)
        return root.resolve()
    except OSError as error:
        raise UsageError(f"{root} cannot be read: {error.strerror}.", hint="Choose a folder you may read.") from error


def _worker_options(run: AuditRun) -> WorkerOptions:
    settings = run.options.settings
    chosen = WorkerOptions(
        select=slugs_of(settings.select),
        ignore=slugs_of(settings.ignore),
        exclude=settings.exclude,
        jobs=settings.jobs or os.cpu_count() or 1,
        use_cache=run.options.use_cache,
        effects=settings.effects,
    )
    return replace(chosen, timeout_s=settings.timeout) if settings.timeout else chosen


def _refuse_nothing_read(run: AuditRun, reports: Iterable[WorkerReport]) -> None:
    completed = [each for each in reports if each.status == "completed"]
    if not completed or any(each.files for each in completed):
        return
    languages = [each.name for each in run.profile.technologies if each.role == "language"]
    found = f" It holds {', '.join(languages)}." if languages else ""
    raise UsageError(
        f"{run.root} holds no source file that evenkeel audits.{found}",
        hint="It reads Python, and leaves out tests, generated and excluded files: check PATH and `exclude`.",
    )


def _created(tracker: Tracker, task: Task) -> Receipt:
    """The receipt; a tracker that fails costs the task, not the report."""
    try:
        return tracker.create(task)
    except EvenkeelError as error:
        return Receipt(created=False, note=str(error))


def _profile_gaps(profile: Profile) -> tuple[Gap, ...]:
    """Notes of discovery are `file: reason`, or a reason alone."""
    parts = [note.partition(": ") for note in profile.notes]
    return tuple(Gap("unreadable", what, why) if why else Gap("skipped", "discovery", what) for what, _, why in parts)


def _done(run: AuditRun, result: AuditResult, receipt: Receipt) -> AuditResult:
    item = tracker_item(created=receipt.created, note=receipt.note)
    done = definition_of_done(run.profile, run.briefing, result.categories, result.sources, item)
    return msgspec.structs.replace(result, definition_of_done=done)


def _known(value: T | None) -> T:
    if value is None:
        raise AssertionError("a phase was left out")
    return value
