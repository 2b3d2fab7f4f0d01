"""Every finding with its code and its way: what a reader needs to judge it without opening a file."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import worst_first
from evenkeel.audit.report.concise import closing, described, place
from evenkeel.audit.report.material import Material, way
from evenkeel.audit.report.text import line_of_code, printable

AROUND = 1  # lines before and after the finding's own
LONGEST = 8  # lines of one excerpt


def render(material: Material) -> str:
    """The worst first, then what is wrong with suppressions, then the counts."""
    blocks = ["\n".join(_block(each, material)) for each in worst_first(material.result.findings)]
    notices = [
        f"{place(material.from_here, each.file, each.line)}: {printable(each.what)}" for each in material.result.notices
    ]
    return "\n\n".join([*blocks, *notices, "\n".join(closing(material.result, material.say))]) + "\n"


def _block(finding: Finding, material: Material) -> Iterator[str]:
    yield f"{place(material.from_here, finding.file, finding.line)}: {described(finding, material.say)}"
    yield from _excerpt(finding, material)
    steps = way(finding)
    for number, each in enumerate(steps, start=1):
        yield from _step(number, each, material)
    yield f"  {material.say('instead:')} {printable(finding.recommendation)} ({finding.effort})"
    yield f"  {finding.rule}: `evenkeel rule {finding.rule}`; {material.say('fingerprint')} {finding.fingerprint}"


def _excerpt(finding: Finding, material: Material) -> Iterator[str]:
    last = min(finding.end_line, finding.line + LONGEST - 1)
    for number, text in material.sources.lines(finding.file, finding.line - AROUND, last + AROUND):
        mark = ">" if finding.line <= number <= finding.end_line else " "
        yield f"  {mark} {number:>5} | {line_of_code(text)}".rstrip()


def _step(number: int, step: Step, material: Material) -> Iterator[str]:
    name = printable(local_name(step.function, step.file))
    yield f"  {number}. {place(material.from_here, step.file, step.line)} {name}"
    for _, text in material.sources.lines(step.file, step.line, step.line):
        yield f"       {line_of_code(text).strip()}"
