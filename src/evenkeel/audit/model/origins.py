"""Origins: the calls and parameters that a value is made of, followed backwards through local names of one function."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.facts import Assignment, Block, Value, root_of
from evenkeel.audit.model.view import CallView, FunctionView

DEEPEST = 6


def origin_calls(function: FunctionView, value: Value, position: int) -> Iterator[CallView]:
    """Calls whose results flow into a value that is used at `position`, nearest first, each once."""
    seen: set[int] = set()
    for call in _calls_of(function, value, position, 0):
        if call.index not in seen:
            seen.add(call.index)
            yield call


def origin_parameters(function: FunctionView, value: Value, position: int) -> frozenset[str]:
    """Parameters of the function that flow into a value; `self` and `cls` are none."""
    names = {each.name for each in function.fact.parameters} - {"self", "cls"}
    return frozenset(root for root in _roots(function, value, position, 0) if root in names)


def _calls_of(function: FunctionView, value: Value, position: int, depth: int) -> Iterator[CallView]:
    if depth > DEEPEST:
        return
    call = function.call(value.call) if value.call >= 0 else None
    while call is not None:
        yield call
        for argument in call.fact.arguments:
            yield from _calls_of(function, argument.value, call.fact.position, depth + 1)
        holder = Value("name", call.holder, names=(call.holder,)) if call.holder else None
        if holder is not None and call.receiver is None:
            yield from _calls_of_names(function, holder, call.fact.position, depth + 1)
        call = call.receiver
    yield from _calls_of_names(function, value, position, depth)


def _calls_of_names(function: FunctionView, value: Value, position: int, depth: int) -> Iterator[CallView]:
    for name in dict.fromkeys(root_of(each) for each in (*value.names, *_own_name(value))):
        for made, at in _makers(function, name, position):
            yield from _calls_of(function, made, at, depth + 1)


def _roots(function: FunctionView, value: Value, position: int, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        return
    for name in dict.fromkeys(root_of(each) for each in (*value.names, *_own_name(value))):
        makers = _makers(function, name, position)
        if not makers:
            yield name
        for made, at in makers:
            yield from _roots(function, made, at, depth + 1)


def _own_name(value: Value) -> tuple[str, ...]:
    return (value.text,) if value.kind == "name" and not value.text.startswith("<") else ()


def _makers(function: FunctionView, name: str, position: int) -> list[tuple[Value, int]]:
    """What a local name was bound to before `position`, and where: values assigned, iterated over or entered."""
    given = [each for each in function.fact.assignments if _binds(each, name, position)]
    blocks = [each for each in function.fact.blocks if _holds(each, name, position)]
    found = [(each.value, each.position) for each in given]
    found += [(each.subject, each.start) for each in blocks if each.subject is not None]
    found.sort(key=lambda each: each[1])
    return found[-3:]


def _binds(assignment: Assignment, name: str, position: int) -> bool:
    return assignment.position < position and assignment.operator in {"=", ":=", "+="} and name in assignment.targets


def _holds(block: Block, name: str, position: int) -> bool:
    return block.start < position and name in block.targets and block.kind in {"for", "comprehension", "with"}
