"""The report as Markdown, in the order its readers know: title, summary, scores, findings, actions, sources.

What the prescribed order has no place for (advisories, needs context, gaps, definition of done) follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evenkeel.audit.model.briefing import BUILT_IN
from evenkeel.audit.model.finding import SEVERITIES, Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult, CategoryResult, worst_first
from evenkeel.audit.report.summary import band_words, has_own_entry, tally, view_sentences
from evenkeel.audit.report.text import code, link, plural, prose
from evenkeel.audit.scoring import density

_FINDING_COLUMNS = ("Severity", "Location", "Issue", "Recommendation", "Effort")
_ACTION_COLUMNS = ("Priority", "Category", "Location", "Issue", "Recommendation", "Effort")


def render(result: AuditResult) -> str:
    """The whole report. The same result gives the same text."""
    blocks = [block for section in SECTIONS for block in section(result)]
    return "\n\n".join(blocks) + "\n"


def _title(result: AuditResult) -> list[str]:
    return [f"# Persistence & Performance Audit Report - {result.date}"]


def _summary(result: AuditResult) -> list[str]:
    return ["## Executive Summary", prose(result.summary, cell=False)]


def _scores(result: AuditResult) -> list[str]:
    rows = [(prose(each.category), _out_of_ten(each.score), _category_notes(each)) for each in result.categories]
    rows.append(("**Overall**", f"**{_out_of_ten(result.overall_score)}**", _overall_notes(result)))
    return ["## Compliance Score", _table(("Category", "Score", "Notes"), rows)]


def _severities(result: AuditResult) -> list[str]:
    counts = result.counts
    rows = [(each, str(counts.of(each))) for each in SEVERITIES]
    return ["## Severity Summary", _table(("Severity", "Count"), [*rows, ("**Total**", f"**{counts.total}**")])]


def _findings(result: AuditResult) -> list[str]:
    blocks = ["## Findings by Category"]
    for number, category in enumerate(result.categories, start=1):
        blocks += [f"### {number}. {prose(category.category, cell=False)}", *_category_findings(category)]
    return blocks


def _category_findings(category: CategoryResult) -> list[str]:
    if category.status == "failed":
        return [f"Not audited: {prose(category.note, cell=False)}"]
    if not category.findings:
        return ["No findings."]
    paths = [_path_line(each) for each in category.findings if has_own_entry(each) or len(each.path) > 1]
    table = _table(_FINDING_COLUMNS, [(each.severity, *_finding_cells(each)) for each in category.findings])
    return [table, "Paths:\n\n" + "\n".join(paths)] if paths else [table]


def _actions(result: AuditResult) -> list[str]:
    category_of = {each.fingerprint: category.category for category in result.categories for each in category.findings}
    rows = [
        (each.severity, prose(category_of[each.fingerprint]), *_finding_cells(each))
        for each in worst_first(result.findings)
    ]
    return ["## Recommended Actions", _table(_ACTION_COLUMNS, rows) if rows else "Nothing to do."]


def _sources(result: AuditResult) -> list[str]:
    lines = [f"- {link(each.title, each.url)} ({_provider(each.provider)})" for each in result.sources]
    return ["## Sources Consulted", "\n".join(lines) or "None: no provider knows the technologies found."]


def _advisories(result: AuditResult) -> list[str]:
    rows = [
        (each.advisory.original_severity, _place(each), _issue(each), prose(each.advisory.reason),
         prose("; ".join(each.advisory.evidence)))
        for category in result.categories
        for each in category.advisories
        if each.advisory is not None
    ]  # fmt: skip
    columns = ("Severity", "Location", "Issue", "Reason", "Evidence")
    return _extra("Advisories", "These cost no points.", columns, rows)


def _unsettled(result: AuditResult) -> list[str]:
    rows = [
        (each.severity, _place(each), _issue(each), prose(each.settled_by))
        for category in result.categories
        for each in category.unsettled
    ]
    columns = ("Severity", "Location", "Issue", "Settled by")
    return _extra("Needs Context", "One more fact would settle these; they cost no points.", columns, rows)


def _suppressed(result: AuditResult) -> list[str]:
    rows = [
        (each.finding.severity, _place(each.finding), _issue(each.finding), code(each.by), prose(each.reason))
        for each in result.suppressed
    ]
    columns = ("Severity", "Location", "Issue", "Suppressed by", "Reason")
    return _extra("Suppressed", "The project does not want these reported; they cost no points.", columns, rows)


def _notices(result: AuditResult) -> list[str]:
    rows = [(code(f"{each.file}:{each.line}"), prose(each.what)) for each in result.notices]
    return _extra("Notices", "Something here does not do what it seems to.", ("Location", "What"), rows)


def _view(result: AuditResult) -> list[str]:
    lines = [prose(each, cell=False) for each in view_sentences(result)]
    stale = [
        (code(each.rule), code(each.file), code(each.function), prose(each.issue))
        for each in (result.view.stale if result.view else ())
    ]
    table = _extra(
        "Stale Baseline Entries",
        "Nothing was found for these: `evenkeel baseline prune` removes them.",
        ("Rule", "File", "Function", "Issue"),
        stale,
    )
    return [*(["## Not Reported", "\n".join(f"- {each}" for each in lines)] if lines else []), *table]


def _gaps(result: AuditResult) -> list[str]:
    rows = [(each.kind, code(each.what), prose(each.why), str(each.count)) for each in result.gaps]
    return _extra("Gaps", "This was not analysed.", ("Kind", "What", "Why", "Count"), rows)


def _done(result: AuditResult) -> list[str]:
    lines = [
        f"- [{'x' if each.done else ' '}] {prose(f'{each.item}: {each.note}' if each.note else each.item, cell=False)}"
        for each in result.definition_of_done
    ]
    return ["## Definition of Done", "\n".join(lines)] if lines else []


SECTIONS: tuple[Callable[[AuditResult], list[str]], ...] = (
    _title, _summary, _scores, _severities, _findings, _actions, _sources,  # prescribed, in this order
    _advisories, _unsettled, _suppressed, _view, _notices, _gaps, _done,
)  # fmt: skip


def _out_of_ten(score: float | None) -> str:
    return "n/a" if score is None else f"{score}/10"


def _category_notes(category: CategoryResult) -> str:
    if category.score is None:
        return f"Failed: {prose(category.note)}"
    counts = category.counts
    apart = [
        plural(len(category.advisories), "advisory finding") if category.advisories else "",
        f"{len(category.unsettled)} in need of context" if category.unsettled else "",
        f"{len(category.suppressed)} suppressed" if category.suppressed else "",
        f"{len(category.held_back)} not reported" if category.held_back else "",
    ]
    found = f"{plural(counts.total, 'finding')} ({tally(counts)})" if counts.total else "No findings"
    return "; ".join([f"{found}: {band_words(category.score, category.scored)}", *filter(None, apart)])


def _overall_notes(result: AuditResult) -> str:
    if result.overall_score is None:
        return "No category ran"
    total = result.scored
    ran = sum(each.score is not None for each in result.categories)
    of_those = "" if ran == len(result.categories) else f" (mean of {ran} of {len(result.categories)} categories)"
    size = f"{plural(total, 'finding')} in {plural(result.lines, 'line')}, {density(total, result.lines)} per 1,000"
    return f"{size}: {band_words(result.overall_score, total)}{of_those}"


def _finding_cells(finding: Finding) -> tuple[str, str, str, str]:
    return _place(finding), _issue(finding), prose(finding.recommendation), finding.effort


def _place(finding: Finding) -> str:
    return code(f"{finding.file}:{finding.line}")


def _issue(finding: Finding) -> str:
    marks = ["hot path"] if finding.hot_path else []
    marks += ["likely"] if finding.confidence == "likely" else []
    return f"{prose(finding.issue)} ({', '.join([code(finding.rule), *marks])})"


def _path_line(finding: Finding) -> str:
    place = code(f"{finding.file}:{finding.line}", cell=False)
    witness = f": {_steps(finding.path)}" if finding.path else ""
    hot = f"; hot from {_steps(finding.entry_path)}" if has_own_entry(finding) else ""
    return f"- {place} {code(finding.rule)}{witness}{hot}"


def _steps(path: Sequence[Step]) -> str:
    return " → ".join(_step(each) for each in path)


def _step(step: Step) -> str:
    name = code(local_name(step.function, step.file), cell=False)
    return f"{name} ({code(f'{step.file}:{step.line}', cell=False)})"


def _provider(name: str) -> str:
    return f"{name}: built-in, not refreshed" if name == BUILT_IN else prose(name)


def _extra(title: str, lead: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = list(rows)
    return [f"## {title}", lead, _table(columns, cells)] if cells else []


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    ruler = tuple("---" for _ in columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ruler, *rows))
