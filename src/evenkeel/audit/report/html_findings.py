"""One finding on the page: what it is, its code, its way from the entry point to the effect, what to do instead."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import CategoryResult
from evenkeel.audit.report.html_text import escaped, rich
from evenkeel.audit.report.material import Material, way
from evenkeel.audit.wording import Wording

AROUND = 2  # lines before and after the finding's own
LONGEST = 12  # lines of one excerpt


def block(finding: Finding, category: CategoryResult, material: Material, *, opened: bool) -> str:
    """The finding as a part of the page that opens and closes; `data-` attributes are what the filter reads."""
    severity = finding.severity.lower()
    hot = "yes" if finding.hot_path else "no"
    return (
        f'<details class="finding" id="f-{escaped(finding.fingerprint)}" data-severity="{severity}" '
        f'data-category="{escaped(category.worker)}" data-hot="{hot}"{" open" if opened else ""}>'
        f"<summary>{_summary(finding, material.say)}</summary>"
        f'<div class="inside">{"".join(_inside(finding, category, material))}</div></details>'
    )


def place(finding: Finding) -> str:
    """File and line, and the rule, as a table shows them."""
    return f"<code>{escaped(f'{finding.file}:{finding.line}')}</code> {escaped(finding.rule)}"


def _summary(finding: Finding, say: Wording) -> str:
    marks = f'<span class="mark hot">{say("hot path")}</span>' if finding.hot_path else ""
    marks += f'<span class="mark">{say("likely")}</span>' if finding.confidence == "likely" else ""
    severity = f'<span class="severity {finding.severity.lower()}">{say(finding.severity)}</span>'
    return (
        f'<span class="top">{severity}<code>{escaped(f"{finding.file}:{finding.line}")}</code>'
        f"<span>{escaped(finding.rule)}</span>{marks}</span>"
        f'<span class="issue">{rich(finding.issue)}</span>'
    )


def _inside(finding: Finding, category: CategoryResult, material: Material) -> Iterator[str]:
    yield _excerpt(finding, material)
    yield from _way(way(finding), material)
    say = material.say
    yield f"<p><strong>{say('Instead:')}</strong> {rich(finding.recommendation)} ({say('effort')} {finding.effort})</p>"
    named = any(each.slug == finding.rule for each in material.rules)
    rule = escaped(finding.rule)
    page = f'<a href="#rule-{rule}">{rule}</a>' if named else rule
    function = escaped(local_name(finding.function, finding.file))
    yield f'<p class="quiet">{page} · {escaped(category.category)} · <code>{function}</code> · '
    yield f"{say('fingerprint')} <code>{escaped(finding.fingerprint)}</code></p>"


def _excerpt(finding: Finding, material: Material) -> str:
    last = min(finding.end_line, finding.line + LONGEST - 1)
    lines = material.sources.lines(finding.file, finding.line - AROUND, last + AROUND)
    if not lines:
        return ""
    own = range(finding.line, finding.end_line + 1)
    shown = "".join(
        f'<span class="{"own" if number in own else "near"}"><i>{number}</i>{escaped(text, keep=True)}</span>'
        for number, text in _dedented(lines)
    )
    return f'<pre tabindex="0" aria-label="{escaped(material.say("Code"))}">{shown}</pre>'


def _dedented(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines without the indentation that they share: a narrow screen has no room for it."""
    texts = textwrap.dedent("\n".join(text.expandtabs(4).rstrip() for _, text in lines)).split("\n")
    return [(number, text) for (number, _), text in zip(lines, texts, strict=True)]


def _way(steps: tuple[Step, ...], material: Material) -> Iterator[str]:
    if steps:
        yield f'<h3>{material.say("The way")}</h3><ol class="way">{"".join(_step(each, material) for each in steps)}</ol>'


def _step(step: Step, material: Material) -> str:
    code = "".join(
        f"<code>{escaped(text.strip(), keep=True)}</code>"
        for _, text in material.sources.lines(step.file, step.line, step.line)
    )
    name = escaped(local_name(step.function, step.file))
    return f'<li>{name} <span class="quiet">{escaped(f"{step.file}:{step.line}")}</span>{code}</li>'
