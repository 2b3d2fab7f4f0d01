"""An explanation as text: what became of the line's findings first, then what they, or their absence, rest on."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.explanation import ExplainedCall, Explanation
from evenkeel.audit.model.finding import Finding, Step
from evenkeel.audit.model.names import local_name
from evenkeel.audit.model.result import AuditResult
from evenkeel.audit.report.material import Material, way
from evenkeel.audit.report.text import line_of_code, printable


def render(explanation: Explanation, material: Material) -> str:
    """The whole text. `material` holds the audit's result, and the code."""
    blocks = [_head(explanation, material)]
    if explanation.problem:
        blocks.append([f"Not looked at: {explanation.problem}."])
        return _joined(blocks)
    outcomes = list(_outcomes(explanation, material.result))
    blocks.append(["Findings", *(outcomes or ["  none on this line"])])
    blocks.append(["Where it stands", *_standing(explanation)])
    blocks.append(["Calls", *([line for call in explanation.calls for line in _call(call)] or ["  none on this line"])])
    blocks.append(["Rules", *_rules(explanation)])
    return _joined(blocks)


def _joined(blocks: list[list[str]]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(explanation: Explanation, material: Material) -> list[str]:
    line = explanation.line
    shown = [printable(f"{explanation.file}:{line}")]
    shown += [f"  {line_of_code(text)}" for _, text in material.sources.lines(explanation.file, line, line)]
    return shown


def _outcomes(explanation: Explanation, result: AuditResult) -> Iterator[str]:
    """Every finding of the line or on whose way it lies, and what became of it."""
    for finding, became in _everything(result):
        own = finding.file == explanation.file and finding.line <= explanation.line <= finding.end_line
        passes = any((each.file, each.line) == (explanation.file, explanation.line) for each in way(finding))
        if own or passes:
            where = "" if own else f" at {finding.file}:{finding.line}, whose way leads through here"
            yield f"  {printable(f'{finding.severity} {finding.rule}{where}: {became}')}"
            yield f"    {printable(finding.issue)}"
            yield from (f"    {each}" for each in _steps(way(finding)))


def _everything(result: AuditResult) -> Iterator[tuple[Finding, str]]:
    for category in result.categories:
        yield from ((each, f"reported, {each.confidence}") for each in category.findings)
        yield from ((each, _held_back(each, result)) for each in category.held_back)
        for each in category.advisories:
            reason = f"{each.advisory.reason} ({'; '.join(each.advisory.evidence)})" if each.advisory else ""
            yield each, f"advisory, costs no points: {reason}"
        yield from ((each, f"needs context: {each.settled_by}") for each in category.unsettled)
        for one in category.suppressed:
            yield one.finding, f"suppressed by {one.by}{f': {one.reason}' if one.reason else ''}"


def _held_back(_: Finding, result: AuditResult) -> str:
    return f"known from the baseline {result.view.baseline}" if result.view else "not reported"


def _standing(explanation: Explanation) -> Iterator[str]:
    name = explanation.function
    kind = "async function" if explanation.is_async else "function"
    where = "the module's own code" if name == "<module>" else f"{kind} {printable(name)}"
    yield f"  in {where}, in a file that is {explanation.kind}"
    roles = f" ({', '.join(explanation.roles)})" if explanation.roles else ""
    yield (
        f"  on a hot path{roles}"
        if explanation.hot
        else f"  on no hot path{roles}: no handler, consumer or stream reaches it"
    )
    if explanation.entry_path:
        yield "  reached from"
        yield from (f"    {each}" for each in _steps(explanation.entry_path))
    for each in explanation.contexts:
        yield f"  speaks for it: {printable(each)}"


def _call(call: ExplainedCall) -> Iterator[str]:
    how = f" (made by the language: {call.implicit})" if call.implicit else ""
    yield f"  {printable(call.text)}{how}"
    known = [f"library {call.library}"] if call.library else []
    known += [f"{call.mode + ' of ' if call.mode else ''}{each}" for each in call.targets]
    sure = "" if call.certain else ", inferred from a name"
    resolved = "; ".join(known) if known else "nothing that evenkeel knows: no effect is assumed"
    yield f"    is {printable(resolved)}{sure}"
    for each in call.reaches:
        yield f"    does {printable(each.effect)}"
        if len(each.path) > 1:
            yield from (f"      {step}" for step in _steps(each.path))


def _rules(explanation: Explanation) -> Iterator[str]:
    """What found something, then the others, those of one reason together, in the order in which rules come near."""
    for word in explanation.words:
        if word.said == "found":
            yield f"  {word.rule}: found it ({', '.join(each.confidence for each in word.findings)})"
    for kind in ("crashed", "not-run", "nothing", "not-reached"):
        reasons: dict[str, list[str]] = {}
        for word in explanation.words:
            if word.said == kind:
                reasons.setdefault(word.why, []).append(word.rule)
        yield from (f"  {', '.join(rules)}: {printable(why)}" for why, rules in reasons.items())


def _steps(path: tuple[Step, ...]) -> Iterator[str]:
    for each in path:
        yield printable(f"{each.file}:{each.line} {local_name(each.function, each.file)}")
