"""The executive summary: two or three sentences, made from the numbers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evenkeel.audit.model.finding import SEVERITIES, Finding
from evenkeel.audit.model.result import AuditResult, CategoryResult, SeverityCounts, count, worst_first
from evenkeel.audit.report.text import plural
from evenkeel.audit.scoring import band
from evenkeel.audit.wording import ENGLISH, Wording


def executive_summary(categories: Sequence[CategoryResult], overall: float | None, say: Wording = ENGLISH) -> str:
    """What was audited and how it scored, what was found, and what to do first."""
    findings = worst_first(each for category in categories for each in category.findings)
    scored = sum(each.scored for each in categories)
    sentences = (_verdict(categories, overall, scored), _what(categories, findings), _next(categories, findings))
    return say.sentences(sentences)


def tally(counts: SeverityCounts) -> str:
    """`3 HIGH, 1 LOW`; severities without findings are left out."""
    return ", ".join(f"{counts.of(each)} {each}" for each in SEVERITIES if counts.of(each))


def band_words(score: float, findings: int) -> str:
    """`moderate issues`: the band as the reports print it."""
    word = band(score, findings)
    return "no issues" if word == "none" else f"{word} issues"


def has_own_entry(finding: Finding) -> bool:
    """Whether the way from the entry point has to be shown: the witness path may already begin with it."""
    return bool(finding.entry_path) and finding.path[: len(finding.entry_path)] != finding.entry_path


def _verdict(categories: Sequence[CategoryResult], overall: float | None, findings: int) -> str:
    if overall is None:
        return "No category could be audited, so there is no score."
    lines = max(each.lines for each in categories)
    files = max(each.files for each in categories)
    return (
        f"{plural(lines, 'line')} of code in {plural(files, 'file')} were audited and score {overall} of 10: "
        f"{band_words(overall, findings)}."
    )


def _what(categories: Sequence[CategoryResult], findings: Sequence[Finding]) -> str:
    statuses = {each.status for each in categories}
    if not findings and "completed" not in statuses:
        return ""
    held_back = sum(len(each.held_back) for each in categories)
    if not findings and held_back:
        return f"Nothing new was found; {plural(held_back, 'finding')} that the score counts {_are(held_back)} not reported."
    if not findings:
        return f"No fault that counts was found{' in the categories that ran' if 'failed' in statuses else ''}."
    hot = sum(each.hot_path for each in findings)
    rule, times = min(Counter(each.rule for each in findings).items(), key=lambda item: (-item[1], item[0]))
    often = f", most often `{rule}` ({times})" if times > 1 else ""
    where = ""
    if hot:
        where = ", and it is on a hot path" if len(findings) == 1 else f", {hot} of them on a hot path"
    there = "There is" if len(findings) == 1 else "There are"
    beside = f", beside {held_back:,} that {_are(held_back)} not reported" if held_back else ""
    return f"{there} {plural(len(findings), 'finding')} ({tally(count(findings))}){where}{often}{beside}."


def view_sentences(result: AuditResult, say: Wording = ENGLISH) -> list[str]:
    """Why findings are left out, one sentence each; none when every finding is reported."""
    view = result.view
    if view is None:
        return []
    old, apart = plural(view.known, "finding"), plural(view.untouched, "finding")
    stale = f"{len(view.stale):,} baseline {'entry is' if len(view.stale) == 1 else 'entries are'} stale"
    sentences = (
        f"Not reported: {old} known from the baseline {view.baseline}." if view.baseline else "",
        f"{stale}: `evenkeel baseline prune` removes what was mended." if view.stale else "",
        f"Not reported: {apart} that no change since {view.since} touches." if view.since else "",
    )
    return [say(each) for each in sentences if each]


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _next(categories: Sequence[CategoryResult], worst: Sequence[Finding]) -> str:
    *most, last = [each.category for each in categories if each.status == "failed"] or [""]
    missing = f"{' and '.join(filter(None, (', '.join(most), last)))} could not be audited" if last else ""
    first = f"mend `{worst[0].rule}` at `{worst[0].file}:{worst[0].line}` first" if worst else ""
    joined = "; ".join(each for each in (missing, first) if each)
    return f"{joined[0].upper()}{joined[1:]}." if joined else ""
