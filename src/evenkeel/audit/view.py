"""What of a result is reported: new findings beside a baseline, those that a change touches, or all. Scores stay."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from evenkeel.audit.baseline import Baseline, compare
from evenkeel.audit.changes import Changes
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.result import AuditResult, CategoryResult, View


def narrowed(
    result: AuditResult, baseline: Baseline | None, changes: Changes | None, unjudged: Collection[str]
) -> AuditResult:
    """The result with what is not asked for held back; as it is when everything is."""
    if baseline is None and changes is None:
        return result
    view = View()
    if baseline is not None:
        comparison = compare(baseline.entries, result, unjudged)
        before = len(result.findings)
        result = _without(result, lambda each: each.fingerprint in comparison.known)
        known = before - len(result.findings)
        view = msgspec.structs.replace(view, baseline=baseline.name, known=known, stale=comparison.stale)
    if changes is not None:
        before = len(result.findings)
        result = _without(result, lambda each: not changes.touches(each))
        view = msgspec.structs.replace(view, since=changes.since, untouched=before - len(result.findings))
    return msgspec.structs.replace(result, view=view)


def _without(result: AuditResult, held_back: Callable[[Finding], bool]) -> AuditResult:
    categories = tuple(_reduced(each, held_back) for each in result.categories)
    return msgspec.structs.replace(result, categories=categories)


def _reduced(category: CategoryResult, held_back: Callable[[Finding], bool]) -> CategoryResult:
    kept = tuple(each for each in category.findings if not held_back(each))
    rest = tuple(each for each in category.findings if held_back(each))
    return msgspec.structs.replace(category, findings=kept, held_back=(*category.held_back, *rest))
