"""Evidence for the context rules: what speaks for judging a finding one severity lower.

One text for each kind of evidence; what stands before its first `: ` is the kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenkeel.audit.model.call_view import CallView
    from evenkeel.audit.model.view import FunctionView

SET_UP = re.compile(
    r"(^|[._])(init|initiali[sz]e|setup|set_up|bootstrap|migrate|migration|startup|on_startup|lifespan)(_|$)"
)
BATCH_FOLDER = re.compile(r"(^|/)(tasks?|jobs?|cron|crons)(/|\.py$)")
SAFEGUARDS = re.compile(r"(^|\.)(timeout|timeout_at|wait_for|fail_after|move_on_after|Timeout)$")


def execution_contexts(function: FunctionView, call: CallView) -> tuple[str, ...]:
    """Evidence of RULES.md's execution-context rule."""
    return tuple(_evidence(function, call))


def _evidence(function: FunctionView, call: CallView) -> Iterator[str]:
    names = [function.name, *(step.function for step in function.entry_path)]
    set_up = next((each for each in names if SET_UP.search(each.rpartition(".")[2])), "")
    if set_up or function.role == "startup":
        yield f"set-up: {set_up or 'reached only from start-up, command line or migration'}"
    once = _once(function, call)
    if once:
        yield once
    if BATCH_FOLDER.search(function.module.path):
        yield f"batch: file under {function.module.path}"
    if _is_guarded(function, call):
        yield "safeguard: a time-out surrounds it"


def _once(function: FunctionView, call: CallView) -> str:
    """Why what the call does is done once and nobody waits for it again; "" when it may be repeated."""
    if function.role != "startup" or function.info.hot or _is_endless(function, call):
        return ""
    if function.info.kind == "migration":
        return "once: a migration"
    if function.info.kind == "script":
        return "once: a script"
    if function.info.entry == "startup":
        return "once: start-up itself, before requests come"
    return "once: reached only from start-up, command line or migration"


def _is_endless(function: FunctionView, call: CallView) -> bool:
    """Whether a loop without an end repeats the call, as in a command that is a worker."""
    around = function.blocks_around(call.fact.block, "while")
    return any(each.subject is None or each.subject.kind in {"constant", "number"} for each in around)


def _is_guarded(function: FunctionView, call: CallView) -> bool:
    around = function.blocks_around(call.fact.block, "with")
    opened = [function.call(b.subject.call) for b in around if b.subject and b.subject.call >= 0]
    managers = [each.fact.callee for each in opened if each is not None]
    outer = call.parent
    while outer is not None:
        managers.append(outer.fact.callee)
        outer = outer.parent
    return any(SAFEGUARDS.search(each) for each in managers)
