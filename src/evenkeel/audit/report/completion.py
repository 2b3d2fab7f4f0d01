"""The definition of done: ten items that a whole run fulfils, each ticked or with the reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evenkeel.audit.model.briefing import BUILT_IN, Briefing
from evenkeel.audit.model.finding import CATEGORIES
from evenkeel.audit.model.profile import Profile
from evenkeel.audit.model.result import CategoryResult, ConsultedSource, Criterion, count
from evenkeel.audit.report.summary import tally
from evenkeel.audit.report.text import plural

TRACKER_ITEM = "Tracker task created"


def definition_of_done(
    profile: Profile,
    briefing: Briefing,
    categories: Sequence[CategoryResult],
    sources: Sequence[ConsultedSource],
    task: Criterion,
) -> tuple[Criterion, ...]:
    """All items, in their fixed order. `task` is the item of the tracker, which only the tracker can fill in."""
    return (
        _stack(profile),
        _metadata(profile),
        _practices(briefing),
        Criterion("Context store built and passed", done=True),
        _workers(categories),
        _aggregated(categories),
        _scored(categories),
        Criterion("Executive summary", done=True),
        task,
        _listed(sources),
    )


def tracker_item(*, created: bool, note: str) -> Criterion:
    """The item that says what became of the tracker task."""
    return Criterion(TRACKER_ITEM, created, note)


def _stack(profile: Profile) -> Criterion:
    names = [f"{each.name} {each.version}".strip() for each in profile.technologies]
    nothing = "no manifest, compose file or import names a technology that evenkeel knows"
    return Criterion("Stack discovered", bool(names), ", ".join(names) or nothing)


def _metadata(profile: Profile) -> Criterion:
    found = [
        (len(profile.settings), "setting"),
        (len(profile.triggers), "trigger"),
        (len(profile.listeners), "listener"),
        (len(profile.migrations), "migration folder"),
    ]
    database = profile.first("database")
    parts = [database.name] if database else []
    parts += [plural(number, noun) for number, noun in found if number]
    return Criterion("Database metadata extracted", bool(parts), ", ".join(parts) or "no database was found")


def _practices(briefing: Briefing) -> Criterion:
    item = "Best practices researched"
    unknown = f"; nothing known about {', '.join(briefing.unanswered)}" if briefing.unanswered else ""
    if not briefing.pages:
        note = f"no provider knows the technologies found{unknown}"
        return Criterion(item, done=False, note="; ".join([note, *briefing.notes]))
    counts = Counter(_provider(each.provider, each.retrieved) for each in briefing.pages)
    told = [f"{plural(number, 'page')} from {name}" for name, number in counts.items()]
    return Criterion(item, True, "; ".join([f"{', '.join(told)}{unknown}", *briefing.notes]))


def _workers(categories: Sequence[CategoryResult]) -> Criterion:
    failed = [f"{each.category}: {each.note}" for each in categories if each.status == "failed"]
    return Criterion("All three workers ran in parallel and finished", not failed, "; ".join(failed))


def _aggregated(categories: Sequence[CategoryResult]) -> Criterion:
    counts = count(each for category in categories for each in category.findings)
    note = f"{plural(counts.total, 'finding')}{f' ({tally(counts)})' if counts.total else ''}"
    return Criterion("Results aggregated, sorted by severity", done=True, note=note)


def _scored(categories: Sequence[CategoryResult]) -> Criterion:
    without = [each.category for each in categories if each.score is None]
    complete = len(categories) == len(CATEGORIES) and not without
    return Criterion(
        "Score per category and overall", complete, f"no score for {', '.join(without)}" if without else ""
    )


def _listed(sources: Sequence[ConsultedSource]) -> Criterion:
    note = plural(len(sources), "source") if sources else "nothing was consulted"
    return Criterion("Sources listed with URLs", bool(sources), note)


def _provider(name: str, retrieved: str) -> str:
    if name == BUILT_IN:
        return f"{name} (built-in, not refreshed)"
    return f"{name} (retrieved {retrieved})" if retrieved else name
