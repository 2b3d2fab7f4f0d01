"""One line explained: the same reading, linking and rules as in an audit, with every step kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from evenkeel.audit.effects.build import SourceFile, build_index
from evenkeel.audit.effects.loading import load
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import Effect, EffectKind
from evenkeel.audit.model.evidence import execution_contexts
from evenkeel.audit.model.explanation import ExplainedCall, Explanation, ReachedEffect, RuleWord
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.index import FunctionInfo, Index
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView
from evenkeel.audit.rules import all_rules
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import extract
from evenkeel.audit.source.named_sql import named_statements
from evenkeel.audit.source.walk import walk
from evenkeel.audit.workers.delegation import JUDGED_KINDS, WorkerOptions

ALL_KINDS: tuple[EffectKind, ...] = get_args(EffectKind)
MOST_EFFECTS = 12  # of one call that are told
SAYS_WHY = {
    "test": "its file is a test, and tests are never judged",
    "generated": "a tool made its file, and made code is never judged",
}


def explain_line(root: Path, file: str, line: int, context: ContextStore, options: WorkerOptions) -> Explanation:
    """What is known of a line of `file` (relative to the root, forward slashes). Raises nothing for what it holds:
    `problem` says why there is nothing to tell."""
    tree = walk(root, exclude=options.exclude)
    kind = next((each.kind for each in tree.files if each.path == file), "")
    if kind not in JUDGED_KINDS:
        why = SAYS_WHY.get(kind, f"its file is of the kind {kind}, which is never judged") if kind else ""
        return Explanation(
            file, line, kind, why or "its file is not audited: excluded, ignored, or of no known language"
        )
    with FactsCache.open(enabled=options.use_cache) as cache:
        wanted = [each for each in tree.files if each.kind in JUDGED_KINDS]
        extracted = extract(wanted, cache=cache, jobs=options.jobs)
    files: list[SourceFile] = [(each.path, each.kind, each.facts) for each in extracted.files]
    number = next((index for index, each in enumerate(files) if each[0] == file), None)
    if number is None:
        why = next((each.why for each in extracted.gaps if each.what == file), "its file could not be read")
        return Explanation(file, line, kind, why)
    index = build_index(
        files, load("python", options.effects), jobs=options.jobs, statements=named_statements(tree.sql)
    )
    return _explained(index, number, line, context, options)


def _explained(index: Index, number: int, line: int, context: ContextStore, options: WorkerOptions) -> Explanation:
    path, kind = index.files[number]
    if kind == "generated":
        return Explanation(path, line, kind, SAYS_WHY[kind])
    module = ModuleView(index, number)
    function = _around(module, line)
    calls = [call for each in module.functions for call in each.calls if call.line <= line <= call.fact.end_line]
    calls = _innermost(calls, line)
    return Explanation(
        file=path,
        line=line,
        kind=kind,
        function=function.fact.qualname,
        is_async=function.is_async,
        hot=function.info.hot,
        roles=tuple(each for each in function.info.roles if each),
        entry_path=function.entry_path,
        contexts=execution_contexts(function, calls[0]) if calls else (),
        calls=tuple(_call(each) for each in calls),
        words=tuple(_word(rule, module, line, calls, context, options) for rule in all_rules()),
    )


def _around(module: ModuleView, line: int) -> FunctionView:
    """The innermost function that holds the line."""
    around = [each for each in module.functions if each.fact.line <= line <= each.fact.end_line]
    return max(around, key=lambda each: (each.fact.line, -each.fact.end_line), default=module.functions[0])


def _innermost(calls: Sequence[CallView], line: int) -> list[CallView]:
    """The calls that begin on the line; when none does, those that reach over it."""
    beginning = [each for each in calls if each.line == line]
    return beginning or list(calls)


def _call(call: CallView) -> ExplainedCall:
    reached: dict[str, ReachedEffect] = {}
    for each in call.reaches(*ALL_KINDS, spawned=True):
        text = f"{_effect(each.effect)}{', in a task of its own' if each.spawned else ''}"
        if text not in reached and len(reached) < MOST_EFFECTS:
            reached[text] = ReachedEffect(text, tuple(each.path))
    return ExplainedCall(
        text=call.fact.callee,
        line=call.line,
        library=call.library,
        targets=tuple(_place(each) for each in (*call.targets, *call.runs)),
        mode=call.link.mode,
        reaches=tuple(reached.values()),
        certain=call.link.certain,
        implicit=call.link.implicit,
    )


def _effect(effect: Effect) -> str:
    detail = f": {effect.detail}" if effect.detail else ""
    marks = [*(["blocks the thread"] if effect.blocking else []), *([] if effect.certain else ["inferred"])]
    shown = f" ({', '.join(marks)})" if marks else ""
    return f"{effect.kind}{detail}{shown}"


def _place(function: FunctionInfo) -> str:
    return f"{function.name} ({function.file}:{function.line})"


def _word(
    rule: Rule,
    module: ModuleView,
    line: int,
    calls: Sequence[CallView],
    context: ContextStore,
    options: WorkerOptions,
) -> RuleWord:
    if rule.check is None or rule.slug in options.ignore or (options.select and rule.slug not in options.select):
        return RuleWord(rule.slug, "not-run", "the settings leave this rule out")
    needs = ", ".join(sorted(rule.needs))
    if rule.needs and not rule.needs & module.index.kinds[module.index.numbers[module.path]]:
        return RuleWord(rule.slug, "not-reached", f"nothing in this file reaches {needs}")
    try:
        found = [msgspec.structs.replace(each, rule=rule.slug) for each in rule.check(module, context)]
    except Exception as error:
        return RuleWord(rule.slug, "crashed", f"{type(error).__name__}: {error}")
    here = tuple(_there(found, module.path, line))
    if here:
        return RuleWord(rule.slug, "found", findings=here)
    if rule.needs and not any(call.reaches(*rule.needs, spawned=True) for call in calls):
        return RuleWord(rule.slug, "not-reached", f"no call of this line reaches {needs}")
    return RuleWord(rule.slug, "nothing", f"looked here and found no fault; {_elsewhere(found)}")


def _there(found: Sequence[Finding], file: str, line: int) -> Iterator[Finding]:
    own = [each for each in found if each.file == file]
    exact = [each for each in own if each.line == line]
    yield from exact or [each for each in own if each.line <= line <= each.end_line]


def _elsewhere(found: Sequence[Finding]) -> str:
    if not found:
        return "nothing elsewhere in this file either"
    lines = ", ".join(str(each) for each in sorted({each.line for each in found})[:5])
    return f"its findings of this file are at {lines}"
