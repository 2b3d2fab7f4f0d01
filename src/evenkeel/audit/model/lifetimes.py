"""Lifetimes: who has to close what a call acquired, and whether every path does.

Something acquired is closed by a `with` block, by a call of one of the closing methods, or by handing it to whoever
called (returning or yielding it). What is kept on `self` or in a global lives longer than the function: not its affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from evenkeel.audit.model.facts import Assignment, Return, Value
from evenkeel.audit.model.view import CallView, FunctionView

CLOSERS = frozenset(
    {"close", "aclose", "release", "remove", "dispose", "terminate", "disconnect", "shutdown", "putconn", "wait_closed"}
)
KEEPERS = frozenset({"enter_context", "enter_async_context", "push_async_callback", "callback", "closing", "aclosing"})
Ending = Literal["closed", "handed over", "on success only", "never"]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How something acquired ends. `name` is the variable that holds it, "" when nothing does."""

    ending: Ending
    name: str
    close_line: int = 0


def lifetime(call: CallView) -> Lifetime:
    """What becomes of the result of `call` in its function."""
    function = call.function
    if _is_managed(call) or _is_handed_over(call):
        return Lifetime("handed over", "")
    assignment = next((each for each in function.fact.assignments if _binds(each, call)), None)
    if assignment is None:
        return Lifetime("never", "")
    name = assignment.targets[0]
    if "." in name or "[]" in name or name in function.fact.globals or _leaves(function, name):
        return Lifetime("handed over", name)
    closers = [each for each in function.calls if _closes(each, name)]
    if not closers:
        return Lifetime("never", name)
    if any(_on_every_path(each, call) for each in closers):
        return Lifetime("closed", name)
    return Lifetime("on success only", name, closers[0].line)


def _binds(assignment: Assignment, call: CallView) -> bool:
    value = assignment.value
    return value.kind in {"call", "either"} and (
        value.call == call.index or _is_branch(value, assignment.position, call)
    )


def _is_branch(value: Value, position: int, call: CallView) -> bool:
    """Whether a call is the second branch of an expression: `given or Client()`."""
    if value.kind != "either" or call.fact.parent >= 0 or call.fact.position > position:
        return False
    return re.search(rf"\b(or|else) {re.escape(call.fact.callee)}\(", value.text) is not None


def _is_managed(call: CallView) -> bool:
    """Used as `with call(...)`, or given to something that closes it."""
    if any(b.kind == "with" and b.subject and b.subject.call == call.index for b in call.function.fact.blocks):
        return True
    parent = call.parent
    return parent is not None and (parent.name in KEEPERS or _is_managed(parent))


def _is_handed_over(call: CallView) -> bool:
    """Returned, yielded, or closed in the same expression."""
    exits = call.function.fact.exits
    if any(each.value.call == call.index or _is_branch(each.value, each.position, call) for each in exits):
        return True
    users = [each for each in call.function.calls if each.fact.receiver == call.index]
    return any(each.name in CLOSERS or each.name == "begin" for each in users)


def _leaves(function: FunctionView, name: str) -> bool:
    """Returned, yielded, stored somewhere that lives longer, kept by a closure, or put under a `with` of its own."""
    if any(_gives(function, each, name) for each in function.fact.exits):
        return True
    if any(b.kind == "with" and b.subject and name in _roots(b.subject.names) for b in function.fact.blocks):
        return True
    if any(each.link.mode == "spawn" and each.uses({name}) for each in function.calls):
        return True  # given to a task or thread of its own, which closes it or leaks it
    stored = (a for a in function.fact.assignments if any("." in t or "[]" in t for t in a.targets))
    if any(name == each.value.text for each in stored):
        return True
    if any(each.name in KEEPERS and each.uses({name}) for each in function.calls):
        return True
    return name in _closed_over(function)


def _gives(function: FunctionView, leaving: Return, name: str) -> bool:
    """Whether what is returned or yielded is the thing itself, holds it, or was made by a call that was given it. What
    one asked it for (`return connection.execute(...).fetchall()`) does not hold it; its cursor does."""
    value = leaving.value
    if leaving.kind == "raise" or name not in _roots(value.names):
        return False
    call = function.call(value.call)
    while call is not None and call.receiver is not None:
        call = call.receiver
    asked = call is not None and _is_on(call.holder, name) and call.name not in {"cursor", "begin"}
    return not asked or value.kind != "call"


def _closed_over(function: FunctionView) -> set[str]:
    """Names that functions nested in this one use."""
    return {root for each in function.nested for call in each.fact.calls for root in _roots((call.callee,))}


def _roots(names: tuple[str, ...]) -> Iterator[str]:
    return (each.partition(".")[0].removesuffix("[]") for each in names)


def _closes(call: CallView, name: str) -> bool:
    if call.name not in CLOSERS and not call.has("close"):
        return False
    return _is_on(call.holder, name) or any(each.value.text == name for each in call.fact.arguments)


def _is_on(holder: str, name: str) -> bool:
    """Whether a call is made on the thing or a part of it: `client.connection_pool.disconnect()`."""
    return holder == name or holder.startswith(f"{name}.")


def _on_every_path(closer: CallView, acquired: CallView) -> bool:
    """In a `finally` that covers what follows the acquisition, or right after it with nothing in between that can fail."""
    if closer.function.blocks_around(closer.fact.block, "finally"):
        return True
    between = [
        each
        for each in closer.function.calls
        if acquired.fact.position < each.fact.position < closer.fact.position and each.fact.parent != acquired.index
    ]
    return not any(each.reaches("db-read", "db-write", "commit", "network", "file") for each in between)
