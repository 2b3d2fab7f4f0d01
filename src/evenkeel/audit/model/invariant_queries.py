"""Queries in a loop that have nothing to do with its elements: the same question, asked again in every pass."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.accesses import access
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.loop_data import IDENTIFIER, inside
from evenkeel.audit.model.loops import Repetition, leaves_after, loop_kind, loops_of, per_element
from evenkeel.audit.model.repeats import Repeated
from evenkeel.audit.model.view import CallView, FunctionView

CHANGES: tuple[EffectKind, ...] = ("db-write", "commit", "db-pending", "db-flush", "sleep", "rollback")
ASKS = re.compile(
    r"_*(get|find|load|list|query|select|is|has|count|exists?|fetch|lookup|all|first|one|one_or_none|scalar|scalars|execute"
    r"|exec|fetchval|fetchrow|fetch_one|fetch_all)(_|$)"
)


def repeated_questions(function: FunctionView) -> Iterator[Repeated]:
    """Reads that a loop repeats although nothing that changes in it reaches them, and nothing in it writes."""
    for call in function.calls_repeating("db-read"):
        if call.link.implicit or ASKS.match(call.name) is None or per_element(call) is not None:
            continue
        loop = loops_of(call)[0]
        if not _runs_each_time(call, loop) or not _is_still(function, loop, call):
            continue
        found = access(call, shared=True)
        if found is not None and found.kind == "read" and found.certain and found.reach.effect.certain:
            yield Repeated(call, found, Repetition(loop, function.fact.blocks[loop], frozenset()))


def _runs_each_time(call: CallView, loop: int) -> bool:
    """Whether the loop goes through elements and no condition makes the call rare: it stands in the loop itself."""
    function = call.function
    if loop_kind(function, loop) != "elements" or leaves_after(function.fact, call.fact.block, loop):
        return False
    around = function.blocks_around(call.fact.block, "if", "else", "except", "case")
    return not any(inside(function.fact, function.fact.blocks.index(each), loop) for each in around)


def _is_still(function: FunctionView, loop: int, call: CallView) -> bool:
    """Whether what the call is given stays as it is in the loop, and the database with it."""
    changed = {
        target.partition(".")[0].removesuffix("[]")
        for each in function.fact.assignments
        if inside(function.fact, each.block, loop)
        for target in each.targets
    }
    for each in function.calls_reaching(*CHANGES):
        if inside(function.fact, each.fact.block, loop) and each.reaches(*CHANGES):
            return False
    return not changed.intersection(_roots(call))


def _roots(call: CallView) -> set[str]:
    found: set[str] = set()
    current: CallView | None = call
    while current is not None:
        texts = [name for each in current.fact.arguments for name in (*each.value.names, each.value.text)]
        texts.append(current.fact.callee)
        found.update(word.partition(".")[0] for text in texts for word in IDENTIFIER.findall(text))
        current = current.receiver
    return found
