"""The optimisation plan as Markdown: the second document of an audit, made from the same result.

`render` is pure: a result in, text out, in English or Chinese. Every statement rests on findings of the result or on a
page that it names; what nothing was found for is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.planning import (
    Bottleneck,
    Plan,
    PlanTexts,
    RuleTexts,
    Stage,
    build_plan,
    entry_points,
    place_of,
    texts,
)
from evenkeel.audit.report.localised import localised
from evenkeel.audit.report.summary import view_sentences
from evenkeel.audit.report.text import code, plural, prose
from evenkeel.audit.wording import Language, Wording, wording_of

TOLD = 6  # findings of one bottleneck that are told with their issue; the others are listed by file
NAMED = 4  # entry points that the background names


@dataclass(frozen=True, slots=True)
class _Page:
    name: str
    result: AuditResult
    plan: Plan
    words: PlanTexts
    say: Wording

    def of(self, each: Bottleneck) -> RuleTexts:
        """The texts of a bottleneck's rule; a rule of which nothing is written speaks through its findings."""
        first = each.findings[0]
        return self.words.rules.get(each.entry, RuleTexts(each.rule, first.issue, first.recommendation, "", "", ""))


def render(result: AuditResult, *, name: str, language: Language = "en") -> str:
    """The plan for what the result reports, as Markdown. `name` is what the audited tree is called.

    The same arguments give the same text. A result without findings gives a plan that says so in one line."""
    say = wording_of(language)
    shown = localised(result, say)
    page = _Page(name, shown, build_plan(result), texts(language), say)
    sections = SECTIONS if page.plan.bottlenecks else (_title, _nothing, _not_covered)
    return "\n\n".join(block for section in sections for block in section(page)) + "\n"


def _title(page: _Page) -> Iterator[str]:
    yield f"# {prose(page.say(f'Optimisation plan for {page.name} - {page.result.date}'), cell=False)}"


def _nothing(page: _Page) -> Iterator[str]:
    yield page.say("There is nothing to plan: the audit reports no finding.")


def _background(page: _Page) -> Iterator[str]:
    say = page.say
    yield f"## {say('Background and goals')}"
    yield prose(page.result.summary, cell=False)
    yield "\n".join(f"- {prose(each, cell=False)}" for each in _goals(page))


def _goals(page: _Page) -> Iterator[str]:
    say, plan = page.say, page.plan
    stack = [str(each) for each in page.result.context.get("tech_stack", {}).values() if each]
    if stack:
        yield say(f"Stack: {', '.join(stack)}.")
    urgent, rest = plan.of("P0"), plan.of("P1")
    if urgent:
        places = sum(len(each.urgent) for each in urgent)
        what = f"{plural(len(urgent), 'bottleneck')} with {plural(places, 'severe finding')} on the hot path"
        yield say(f"First: {what}.")
        yield from _entry_goal(page, urgent)
    if rest:
        count = sum(len(each.findings) for each in rest)
        yield say(
            f"{'Then' if urgent else 'In order'}: {plural(len(rest), 'bottleneck')} with {plural(count, 'finding')}."
        )
    yield say("Each stage begins with a base line of the figures below and must beat it before the next one begins.")


def _entry_goal(page: _Page, urgent: Iterable[Bottleneck]) -> Iterator[str]:
    entries = entry_points(finding for each in urgent for finding in each.urgent)
    if entries:
        shown = ", ".join(f"`{local_name(each.function, each.file)}`" for each in entries[:NAMED])
        more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
        yield page.say(f"Users meet them at {shown}{more}.")


def _verdict(page: _Page) -> Iterator[str]:
    say = page.say
    yield f"## {say('Verdict')}"
    yield say("P0: severe and on the hot path. P1: everything else that counts.")
    if not page.plan.of("P0"):
        yield say("There is no P0: nothing severe was found on a hot path.")
    yield _table(
        [say(each) for each in ("Priority", "Bottleneck", "Worst", "Places", "of them P0", "Stage")],
        (
            (each.priority, _named(page, each), say(each.severity), str(len(each.findings)), str(len(each.urgent)),
             each.remedy.stage)
            for each in page.plan.bottlenecks
        ),
    )  # fmt: skip


def _bottlenecks(page: _Page) -> Iterator[str]:
    say = page.say
    yield f"## {say('Bottlenecks')}"
    for number, each in enumerate(page.plan.bottlenecks, start=1):
        own = page.of(each)
        yield f"### {number}. {each.priority} {_named(page, each)}"
        yield "\n".join([f"**{say('Evidence')}**", "", *_evidence(page, each)])
        lines = [("Problem", prose(own.problem, cell=False)), ("Measure", prose(own.measure, cell=False))]
        lines += [("Expected gain", _gain(page, each))] if own.gain else []
        lines += [("Part", _part(page, each))]
        yield "\n".join(f"- **{say(title)}** {text}" for title, text in lines)


def _evidence(page: _Page, each: Bottleneck) -> Iterator[str]:
    for finding in each.findings[:TOLD]:
        place = f"{code(place_of(finding), cell=False)} {page.say(finding.severity)}"
        yield f"- {place}{_hot(page, finding)}{page.say.colon}{_issue(page, finding)}"
    by_file: dict[str, list[str]] = {}
    for finding in each.findings[TOLD:]:
        by_file.setdefault(finding.file, []).append(str(finding.line))
    for file, lines in sorted(by_file.items()):
        yield f"- {code(file, cell=False)}{page.say.colon}{page.say.comma.join(sorted(lines, key=int))}"


def _hot(page: _Page, finding: Finding) -> str:
    if not finding.hot_path:
        return ""
    if not finding.entry_path:
        return f"{page.say.pause}{page.say('hot path')}"
    step = finding.entry_path[0]
    name = code(local_name(step.function, step.file), cell=False)
    return f"{page.say.pause}{page.say('hot from')} {name} ({code(f'{step.file}:{step.line}', cell=False)})"


def _issue(page: _Page, finding: Finding) -> str:
    return prose(page.say(finding.issue, finding.rule), cell=False)


def _gain(page: _Page, each: Bottleneck) -> str:
    gain = prose(page.of(each).gain, cell=False)
    page_name = each.remedy.page
    return f"{gain} ({page.say('basis:')} {code(page_name, cell=False)})" if page_name else gain


def _part(page: _Page, each: Bottleneck) -> str:
    remedy = each.remedy
    if not remedy.part:
        return prose(page.say("none is needed: it is mended in the code itself"), cell=False)
    part = f"`evenkeel.hotpath.{remedy.part}`"
    return prose(page.say(f"{part}, switch `{remedy.switch}`") if remedy.switch else part, cell=False)


def _stages(page: _Page) -> Iterator[str]:
    say = page.say
    yield f"## {say('Stages')}"
    rows = [(each.name, _members(page, each), say(f"{each.risk} risk"), _days(page, each), _effort(page, each))
            for each in page.plan.stages]  # fmt: skip
    proof = ", ".join(each.name for each in page.plan.scenarios)
    proving = say(f"{f'load tests {proof}; ' if proof else ''}alert thresholds and regression base lines fixed")
    last = ("D", proving, say("low risk"), say("as long as the scenarios run"), "")
    columns = [say(each) for each in ("Stage", "What", "Risk", "Duration", "Effort of the findings")]
    yield _table(columns, [*rows, last])
    yield say(
        "Durations are working days of one person: the usual span of the stage, or what the efforts add up to if more."
    )


def _members(page: _Page, stage: Stage) -> str:
    counted = (f"{prose(page.of(each).title)} ({len(each.findings)})" for each in stage.bottlenecks)
    return page.say.semicolon.join(counted)


def _days(page: _Page, stage: Stage) -> str:
    return page.say(f"{stage.days[0]} to {stage.days[1]} days")


def _effort(page: _Page, stage: Stage) -> str:
    return page.say.comma.join(f"{count} × {effort}" for effort, count in stage.efforts)


def _figures(page: _Page) -> Iterator[str]:
    yield f"## {page.say('Figures to add')}"
    yield "\n".join(
        f"- {prose(page.words.figures[name].replace('{entries}', _entries(page, entries)), cell=False)}"
        for name, entries in page.plan.figures
    )


def _entries(page: _Page, entries: tuple[Step, ...]) -> str:
    if not entries:
        return page.say("the code that was found")
    return page.say.comma.join(f"`{local_name(each.function, each.file)}`" for each in entries)


def _scenarios(page: _Page) -> Iterator[str]:
    say = page.say
    if not page.plan.scenarios:
        return
    yield f"## {say('Acceptance scenarios')}"
    for each in page.plan.scenarios:
        own = page.words.scenarios[each.name]
        load = own.load.replace("{entries}", _entries(page, each.entries))
        lines = [f"- {prose(own.hold, cell=False)}"] if each.floor else []
        lines += [
            f"- {_named(page, one)}{say.colon}{prose(page.of(one).accept, cell=False)}" for one in each.bottlenecks
        ]
        yield f"### {each.name}"
        yield f"{say('Load:')}{say.space}{prose(load, cell=False)}"
        yield "\n".join([say("What must hold:"), "", *lines])


def _risks(page: _Page) -> Iterator[str]:
    say, risky = page.say, [each for each in _by_stage(page) if page.of(each).risk]
    if not risky:
        return
    yield f"## {say('Risks and rollback')}"
    columns = [say(each) for each in ("Bottleneck", "Risk", "Way back")]
    yield _table(columns, ((_named(page, each), prose(page.of(each).risk), _back(page, each)) for each in risky))


def _by_stage(page: _Page) -> Iterator[Bottleneck]:
    for stage in page.plan.stages:
        yield from stage.bottlenecks


def _back(page: _Page, each: Bottleneck) -> str:
    switch = each.remedy.switch
    if switch:
        return prose(page.say(f'`switches.{switch} = "rollback"`; without the part, revert the change'))
    return page.say("revert the change")


def _this_week(page: _Page) -> Iterator[str]:
    say = page.say
    yield f"## {say('This week')}"
    items = [say("take the base line: the figures above, under today's load")]
    items.append(say("`evenkeel baseline create`, so that nothing new joins what is planned here"))
    lines = [f"- [ ] {prose(each, cell=False)}" for each in items]
    yield "\n".join([*lines, *(_task(page, finding) for finding in page.plan.this_week)])


def _task(page: _Page, finding: Finding) -> str:
    place, rule = code(place_of(finding), cell=False), code(finding.rule, cell=False)
    what = prose(page.say(finding.recommendation, finding.rule), cell=False)
    return f"- [ ] {place} {rule}{page.say.colon}{what} ({finding.effort})"


def _not_covered(page: _Page) -> Iterator[str]:
    say, result = page.say, page.result
    failed = [
        say(f"{each.category} was not audited: {each.note}.") for each in result.categories if each.status == "failed"
    ]
    gaps = sum(each.count for each in result.gaps)
    unknown = [say(f"{plural(gaps, 'gap')}: the full report lists what was not analysed.")] if gaps else []
    lines = [*failed, *view_sentences(result, say), *unknown]
    if lines:
        yield f"## {say('Not covered')}"
        yield "\n".join(f"- {prose(each, cell=False)}" for each in lines)


def _named(page: _Page, each: Bottleneck) -> str:
    return f"{prose(page.of(each).title)} ({code(each.rule)})"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


SECTIONS: tuple[Callable[[_Page], Iterator[str]], ...] = (
    _title, _background, _verdict, _bottlenecks, _stages, _figures, _scenarios, _risks, _this_week, _not_covered,
)  # fmt: skip
