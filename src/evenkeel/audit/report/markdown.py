"""The report as Markdown, in the order its readers know: title, summary, scores, findings, actions, sources.

What the prescribed order has no place for (advisories, needs context, gaps, definition of done) follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evenkeel.audit.model.finding import SEVERITIES, Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult, CategoryResult, worst_first
from evenkeel.audit.report.summary import band_words, has_own_entry, tally, view_sentences
from evenkeel.audit.report.text import code, link, plural, prose
from evenkeel.audit.scoring import density
from evenkeel.audit.wording import ENGLISH, Wording

_FINDING_COLUMNS = ("Severity", "Location", "Issue", "Recommendation", "Effort")
_ACTION_COLUMNS = ("Priority", "Category", "Location", "Issue", "Recommendation", "Effort")


def render(result: AuditResult, say: Wording = ENGLISH) -> str:
    """The whole report. The same result gives the same text. `result` is in the language of `say` already."""
    blocks = [block for section in SECTIONS for block in section(result, say)]
    return "\n\n".join(blocks) + "\n"


def _title(result: AuditResult, say: Wording) -> list[str]:
    return [f"# {say(f'Persistence & Performance Audit Report - {result.date}')}"]


def _summary(result: AuditResult, say: Wording) -> list[str]:
    return [_heading("Executive Summary", say), prose(result.summary, cell=False)]


def _scores(result: AuditResult, say: Wording) -> list[str]:
    rows = [(prose(each.category), _out_of_ten(each.score), _category_notes(each, say)) for each in result.categories]
    rows.append((f"**{say('Overall')}**", f"**{_out_of_ten(result.overall_score)}**", _overall_notes(result, say)))
    return [_heading("Compliance Score", say), _table(_columns(("Category", "Score", "Notes"), say), rows)]


def _severities(result: AuditResult, say: Wording) -> list[str]:
    counts = result.counts
    rows = [(say(each), str(counts.of(each))) for each in SEVERITIES]
    rows.append((f"**{say('Total')}**", f"**{counts.total}**"))
    return [_heading("Severity Summary", say), _table(_columns(("Severity", "Count"), say), rows)]


def _findings(result: AuditResult, say: Wording) -> list[str]:
    blocks = [_heading("Findings by Category", say)]
    for number, category in enumerate(result.categories, start=1):
        blocks += [f"### {number}. {prose(category.category, cell=False)}", *_category_findings(category, say)]
    return blocks


def _category_findings(category: CategoryResult, say: Wording) -> list[str]:
    if category.status == "failed":
        return [prose(say(f"Not audited: {category.note}"), cell=False)]
    if not category.findings:
        return [say("No findings.")]
    paths = [_path_line(each, say) for each in category.findings if has_own_entry(each) or len(each.path) > 1]
    cells = [(say(each.severity), *_finding_cells(each, say)) for each in category.findings]
    table = _table(_columns(_FINDING_COLUMNS, say), cells)
    return [table, "\n".join([say("Paths:"), "", *paths])] if paths else [table]


def _actions(result: AuditResult, say: Wording) -> list[str]:
    category_of = {each.fingerprint: category.category for category in result.categories for each in category.findings}
    rows = [
        (say(each.severity), prose(category_of[each.fingerprint]), *_finding_cells(each, say))
        for each in worst_first(result.findings)
    ]
    return [
        _heading("Recommended Actions", say),
        _table(_columns(_ACTION_COLUMNS, say), rows) if rows else say("Nothing to do."),
    ]


def _sources(result: AuditResult, say: Wording) -> list[str]:
    lines = [f"- {link(each.title, each.url)} ({prose(say(each.origin))})" for each in result.sources]
    return [
        _heading("Sources Consulted", say),
        "\n".join(lines) or say("None: no provider knows the technologies found."),
    ]


def _advisories(result: AuditResult, say: Wording) -> list[str]:
    rows = [
        (say(each.advisory.original_severity), _place(each), _issue(each, say), prose(each.advisory.reason),
         prose(say.semicolon.join(each.advisory.evidence)))
        for category in result.categories
        for each in category.advisories
        if each.advisory is not None
    ]  # fmt: skip
    columns = ("Severity", "Location", "Issue", "Reason", "Evidence")
    return _extra("Advisories", "These cost no points.", columns, rows, say)


def _unsettled(result: AuditResult, say: Wording) -> list[str]:
    rows = [
        (say(each.severity), _place(each), _issue(each, say), prose(each.settled_by))
        for category in result.categories
        for each in category.unsettled
    ]
    columns = ("Severity", "Location", "Issue", "Settled by")
    return _extra("Needs Context", "One more fact would settle these; they cost no points.", columns, rows, say)


def _suppressed(result: AuditResult, say: Wording) -> list[str]:
    rows = [
        (
            say(each.finding.severity),
            _place(each.finding),
            _issue(each.finding, say),
            code(each.by),
            prose(each.reason),
        )
        for each in result.suppressed
    ]
    columns = ("Severity", "Location", "Issue", "Suppressed by", "Reason")
    return _extra("Suppressed", "The project does not want these reported; they cost no points.", columns, rows, say)


def _notices(result: AuditResult, say: Wording) -> list[str]:
    rows = [(code(f"{each.file}:{each.line}"), prose(each.what)) for each in result.notices]
    return _extra("Notices", "Something here does not do what it seems to.", ("Location", "What"), rows, say)


def _view(result: AuditResult, say: Wording) -> list[str]:
    lines = [prose(each, cell=False) for each in view_sentences(result, say)]
    stale = [
        (code(each.rule), code(each.file), code(each.function), prose(each.issue))
        for each in (result.view.stale if result.view else ())
    ]
    table = _extra(
        "Stale Baseline Entries",
        "Nothing was found for these: `evenkeel baseline prune` removes them.",
        ("Rule", "File", "Function", "Issue"),
        stale,
        say,
    )
    return [*([_heading("Not Reported", say), "\n".join(f"- {each}" for each in lines)] if lines else []), *table]


def _gaps(result: AuditResult, say: Wording) -> list[str]:
    rows = [(say(each.kind), code(each.what), prose(each.why), str(each.count)) for each in result.gaps]
    return _extra("Gaps", "This was not analysed.", ("Kind", "What", "Why", "Count"), rows, say)


def _done(result: AuditResult, say: Wording) -> list[str]:
    lines = [
        f"- [{'x' if each.done else ' '}] {prose(f'{each.item}: {each.note}' if each.note else each.item, cell=False)}"
        for each in result.definition_of_done
    ]
    return [_heading("Definition of Done", say), "\n".join(lines)] if lines else []


SECTIONS: tuple[Callable[[AuditResult, Wording], list[str]], ...] = (
    _title, _summary, _scores, _severities, _findings, _actions, _sources,  # prescribed, in this order
    _advisories, _unsettled, _suppressed, _view, _notices, _gaps, _done,
)  # fmt: skip


def _out_of_ten(score: float | None) -> str:
    return "n/a" if score is None else f"{score}/10"


def _category_notes(category: CategoryResult, say: Wording) -> str:
    if category.score is None:
        return prose(say(f"Failed: {category.note}"))
    counts = category.counts
    apart = [
        plural(len(category.advisories), "advisory finding") if category.advisories else "",
        f"{len(category.unsettled)} in need of context" if category.unsettled else "",
        f"{len(category.suppressed)} suppressed" if category.suppressed else "",
        f"{len(category.held_back)} not reported" if category.held_back else "",
    ]
    found = f"{plural(counts.total, 'finding')} ({tally(counts)})" if counts.total else "No findings"
    words = say(f"{found}: {band_words(category.score, category.scored)}")
    return say.semicolon.join([words, *(say(each) for each in apart if each)])


def _overall_notes(result: AuditResult, say: Wording) -> str:
    if result.overall_score is None:
        return say("No category ran")
    total = result.scored
    ran = sum(each.score is not None for each in result.categories)
    of_those = "" if ran == len(result.categories) else f" (mean of {ran} of {len(result.categories)} categories)"
    size = f"{plural(total, 'finding')} in {plural(result.lines, 'line')}, {density(total, result.lines)} per 1,000"
    return say(f"{size}: {band_words(result.overall_score, total)}{of_those}")


def _finding_cells(finding: Finding, say: Wording) -> tuple[str, str, str, str]:
    return _place(finding), _issue(finding, say), prose(finding.recommendation), finding.effort


def _place(finding: Finding) -> str:
    return code(f"{finding.file}:{finding.line}")


def _issue(finding: Finding, say: Wording) -> str:
    marks = [say("hot path")] if finding.hot_path else []
    marks += [say("likely")] if finding.confidence == "likely" else []
    return f"{prose(finding.issue)} ({say.pause.join([code(finding.rule), *marks])})"


def _path_line(finding: Finding, say: Wording) -> str:
    place = code(f"{finding.file}:{finding.line}", cell=False)
    witness = f": {_steps(finding.path)}" if finding.path else ""
    hot = f"; {say('hot from')} {_steps(finding.entry_path)}" if has_own_entry(finding) else ""
    return f"- {place} {code(finding.rule)}{witness}{hot}"


def _steps(path: Sequence[Step]) -> str:
    return " → ".join(_step(each) for each in path)


def _step(step: Step) -> str:
    name = code(local_name(step.function, step.file), cell=False)
    return f"{name} ({code(f'{step.file}:{step.line}', cell=False)})"


def _heading(title: str, say: Wording) -> str:
    return f"## {say(title)}"


def _columns(names: Sequence[str], say: Wording) -> list[str]:
    return [say(each) for each in names]


def _extra(title: str, lead: str, columns: Sequence[str], rows: Iterable[Sequence[str]], say: Wording) -> list[str]:
    cells = list(rows)
    return [_heading(title, say), say(lead), _table(_columns(columns, say), cells)] if cells else []


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    ruler = tuple("---" for _ in columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ruler, *rows))
