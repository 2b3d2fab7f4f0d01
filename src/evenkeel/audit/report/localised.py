"""A result, and the rules, in another language: the same values, their texts said again. JSON is never made from it."""

from __future__ import annotations

import dataclasses

import msgspec

from evenkeel.audit.model.finding import Advisory, Finding, Gap
from evenkeel.audit.model.result import AuditResult, BaselineEntry, CategoryResult, Criterion, Notice, Suppressed, View
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.planning import texts
from evenkeel.audit.report.summary import executive_summary
from evenkeel.audit.wording import Wording


def localised(result: AuditResult, say: Wording) -> AuditResult:
    """The result with every text in the language of `say`; as it is in English. Names, places and figures stay."""
    if say.language == "en":
        return result
    return msgspec.structs.replace(
        result,
        categories=tuple(_category(each, say) for each in result.categories),
        summary=executive_summary(result.categories, result.overall_score, say),
        gaps=tuple(_gap(each, say) for each in result.gaps),
        definition_of_done=tuple(_criterion(each, say) for each in result.definition_of_done),
        notices=tuple(Notice(each.file, each.line, say(each.what)) for each in result.notices),
        view=_view(result.view, say),
    )


def localised_rules(rules: tuple[Rule, ...], say: Wording) -> tuple[Rule, ...]:
    """The rules with title and page in that language. The page is the short one of the plan: what, why, what to do."""
    return rules if say.language == "en" else tuple(_rule(each, say) for each in rules)


def localised_finding(finding: Finding, say: Wording) -> Finding:
    """The finding with its texts in that language."""
    return msgspec.structs.replace(
        finding,
        issue=say(finding.issue, finding.rule),
        recommendation=say(finding.recommendation, finding.rule),
        settled_by=say(finding.settled_by, finding.rule) if finding.settled_by else "",
        advisory=_advisory(finding.advisory, finding.rule, say),
    )


def _category(category: CategoryResult, say: Wording) -> CategoryResult:
    findings = {
        name: tuple(localised_finding(each, say) for each in getattr(category, name))
        for name in ("findings", "advisories", "unsettled", "held_back")
    }
    suppressed = tuple(
        Suppressed(localised_finding(each.finding, say), say(each.by), each.reason) for each in category.suppressed
    )
    return msgspec.structs.replace(
        category, category=say(category.category), note=say(category.note), suppressed=suppressed, **findings
    )


def _advisory(advisory: Advisory | None, rule: str, say: Wording) -> Advisory | None:
    if advisory is None:
        return None
    return msgspec.structs.replace(
        advisory, reason=say(advisory.reason), evidence=tuple(say(each, rule) for each in advisory.evidence)
    )


def _gap(gap: Gap, say: Wording) -> Gap:
    return msgspec.structs.replace(gap, what=say(gap.what), why=say(gap.why))


def _criterion(criterion: Criterion, say: Wording) -> Criterion:
    return Criterion(say(criterion.item), criterion.done, say.notes(criterion.note) if criterion.note else "")


def _view(view: View | None, say: Wording) -> View | None:
    if view is None:
        return None
    stale = tuple(_entry(each, say) for each in view.stale)
    return msgspec.structs.replace(view, stale=stale)


def _entry(entry: BaselineEntry, say: Wording) -> BaselineEntry:
    return msgspec.structs.replace(entry, issue=say(entry.issue, entry.rule) if entry.issue else "")


def _rule(rule: Rule, say: Wording) -> Rule:
    known = texts(say.language).rules.get(rule.slug)
    if known is None:
        return rule
    parts = ("Why it costs", known.problem), ("Do instead", known.measure), ("Take care", known.risk)
    body = "\n\n".join(f"**{say(title)}** {text}" for title, text in parts if text)
    more = say(f"The full page: `evenkeel rule {rule.slug}`.")
    return dataclasses.replace(rule, title=known.title, page=f"{known.title}\n\n{body}\n\n{more}\n")
