"""One line a finding, as editors and `grep` read it: `file:line: SEVERITY rule issue`."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.report.material import Material
from evenkeel.audit.report.summary import tally, view_sentences
from evenkeel.audit.report.text import plural, printable
from evenkeel.audit.wording import ENGLISH, Wording


def render(material: Material) -> str:
    """Findings by file and line, then what is wrong with suppressions, then one line of counts."""
    result, folder = material.result, material.from_here
    findings = sorted(result.findings, key=lambda each: (each.file, each.line, each.rule, each.function))
    lines = [f"{place(folder, each.file, each.line)}: {described(each, material.say)}" for each in findings]
    lines += [f"{place(folder, each.file, each.line)}: {printable(each.what)}" for each in result.notices]
    return "".join(f"{line}\n" for line in (*lines, *closing(result, material.say)))


def place(folder: str, file: str, line: int) -> str:
    """`backend/app/jobs.py:12`, as the reader's shell knows it."""
    return printable(f"{folder}{file}:{line}")


def described(finding: Finding, say: Wording = ENGLISH) -> str:
    """`HIGH n-plus-one [hot path] issue`."""
    marks = [say("hot path")] if finding.hot_path else []
    marks += [say("likely")] if finding.confidence == "likely" else []
    shown = "".join(f" [{each}]" for each in marks)
    return f"{say(finding.severity)} {finding.rule}{shown} {printable(finding.issue)}"


def closing(result: AuditResult, say: Wording = ENGLISH) -> Iterator[str]:
    """What was found in all, what was not looked at, and what is held back."""
    counts = result.counts
    found = f"{plural(counts.total, 'finding')} ({tally(counts)})" if counts.total else "No findings"
    apart = f", {plural(len(result.suppressed), 'suppressed finding')}" if result.suppressed else ""
    score = "no score" if result.overall_score is None else f"overall {result.overall_score}/10"
    yield say(f"{found}{apart}; {score}.")
    for each in result.categories:
        if each.status == "failed":
            yield printable(say(f"{each.category} was not audited: {each.note}."))
    yield from (printable(each) for each in view_sentences(result, say))
    if result.gaps:
        gaps = plural(sum(each.count for each in result.gaps), "gap")
        yield say(f"{gaps}: the full report lists what was not analysed.")
