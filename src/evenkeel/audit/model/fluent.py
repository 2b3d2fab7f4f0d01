"""Fluent queries: their steps as written, and the call with which they begin."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.view import CallView

DEEPEST = 3  # names, or functions, that a query is handed through
LONGEST_CHAIN = 24


def chain_steps(call: CallView, depth: int = 0) -> tuple[str, ...]:
    """The steps of a fluent query as written, first step first: from the calls that made it, through names too."""
    steps: list[str] = []
    current: CallView | None = call
    first = call
    while current is not None and len(steps) < LONGEST_CHAIN:
        steps.append(_step(current))
        first, current = current, current.receiver
    root = first.holder.partition(".")[0]
    return (*_steps_of_name(first, root, depth), *reversed(steps))


def _step(call: CallView) -> str:
    arguments = ", ".join(
        f"{each.keyword}={each.value.text}" if each.keyword else each.value.text for each in call.fact.arguments
    )
    return f"{call.name}({arguments})"


def begun_at(call: CallView, depth: int = 0) -> CallView:
    """The call with which a fluent query begins, through the names that hold it: there a loader would be added."""
    while call.receiver is not None:
        call = call.receiver
    root = call.holder.partition(".")[0]
    function = call.function
    given = (a for a in function.fact.assignments if root in a.targets and a.position < call.fact.position)
    made = [each for a in given if (each := function.call(a.value.call)) is not None and each is not call]
    return begun_at(made[0], depth + 1) if root and made and depth < DEEPEST else call


def _steps_of_name(user: CallView, name: str, depth: int) -> Iterator[str]:
    """What a query variable was made of before: `q = q.filter(...)` refines what came earlier."""
    if not name or depth > DEEPEST:
        return
    function = user.function
    for each in function.fact.assignments:
        made = function.call(each.value.call) if name in each.targets and each.value.call >= 0 else None
        if made is not None and made is not user and each.position < user.fact.position:
            yield from chain_steps(made, depth + 1)
