"""One worker: run the rules of a category over the index. A rule that crashes on a module is a gap, not a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding, Gap, WorkerReport
from evenkeel.audit.model.index import Index
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import ModuleView

NONE_HELD: Mapping[str, ModuleView] = MappingProxyType({})
PROGRESS_EVERY = 50  # files


def judge(
    worker: str,
    title: str,
    rules: Sequence[Rule],
    index: Index,
    context: ContextStore,
    progress: Callable[[int], None],
    held: Mapping[str, ModuleView] = NONE_HELD,
) -> WorkerReport:
    """The report of one worker. `held`: every file as it was decoded ahead; when there are none, each is decoded and
    dropped in turn."""
    findings: list[Finding] = []
    crashes: dict[tuple[str, str], int] = {}
    for file in range(len(index.files)):
        findings.extend(_judge_module(rules, index, file, context, crashes, held))
        if file % PROGRESS_EVERY == 0:
            progress(file)
    gaps = tuple(Gap("crashed-rule", slug, why, count) for (slug, why), count in sorted(crashes.items()))
    return WorkerReport(worker, title, "completed", tuple(findings), gaps, index.lines, len(index.files))


def _judge_module(
    rules: Sequence[Rule],
    index: Index,
    file: int,
    context: ContextStore,
    crashes: dict[tuple[str, str], int],
    held: Mapping[str, ModuleView],
) -> Iterator[Finding]:
    if index.files[file][1] == "generated":
        return
    kinds = index.kinds[file]
    wanted = [rule for rule in rules if not rule.needs or rule.needs & kinds]
    if not wanted:
        return
    known = held.get(index.files[file][0])
    module = known or ModuleView(index, file)
    for rule in wanted:
        if rule.check is None:
            continue
        try:
            found = [msgspec.structs.replace(each, rule=rule.slug) for each in rule.check(module, context)]
        except Exception as error:
            why = f"{type(error).__name__} in {module.path}: {error}"
            crashes[rule.slug, why] = crashes.get((rule.slug, why), 0) + 1
            continue
        yield from found
    if known is None:
        module.release()
    else:
        known.forget()
