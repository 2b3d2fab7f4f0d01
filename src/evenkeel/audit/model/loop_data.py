"""Loop data: the names that carry an element of a loop, step by step, and whether they reach a call. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evenkeel.audit.model.facts import Function
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.view import CallView, FunctionView

TAKING = frozenset({"pop", "popleft", "popitem", "get_nowait", "next", "anext"})
IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\])*")


def loop_data(function: Function, index: int) -> frozenset[str]:
    """Names that carry an element of the loop inside it: its targets and what is made from them, step by step."""
    names = {_holder(each) for each in function.blocks[index].targets} or _taken(function, index)
    size = -1
    while len(names) != size:
        size = len(names)
        names.update(_made_from(function, index, frozenset(names)))
    return frozenset(names)


def _made_from(function: Function, index: int, names: frozenset[str]) -> Iterator[str]:
    for each in function.assignments:
        if inside(function, each.block, index) and touches(each.value.names, names):
            yield from map(_holder, each.targets)
    for number, block in enumerate(function.blocks):
        subject = block.subject
        if subject is None or number == index or not inside(function, number, index):
            continue
        if touches(subject.names or IDENTIFIER.findall(subject.text), names):
            yield from map(_holder, block.targets)


def _taken(function: Function, index: int) -> set[str]:
    """What a `while` loop takes up anew in each pass: popped from a work list, or made from its own last value."""
    found: set[str] = set()
    for each in function.assignments:
        if not inside(function, each.block, index) or each.operator != "=":
            continue
        callee = function.calls[each.value.call].callee if each.value.call >= 0 else ""
        if callee.rpartition(".")[2] in TAKING or touches(each.value.names, frozenset(each.targets)):
            found.update(map(_holder, each.targets))
    return found


def _holder(target: str) -> str:
    """The name that carries what is assigned: `row` for `row[]` and `row.name`; of `self` the attribute."""
    root, dot, _ = target.partition(".")
    return target.removesuffix("[]") if root in {"self", "cls"} and dot else root.removesuffix("[]")


def touches(chains: Sequence[str], names: frozenset[str]) -> bool:
    """Whether any of the chains starts with one of the names."""
    return any(_starts(chain, names) for chain in chains)


def _starts(chain: str, names: frozenset[str]) -> bool:
    root = chain.partition(".")[0].removesuffix("[]")
    if root in {"self", "cls"}:
        return any(chain == each or chain.startswith((f"{each}.", f"{each}[]")) for each in names)
    return root in names


def flows_into(call: CallView, names: frozenset[str]) -> bool:
    """Whether loop data reaches a call: through its arguments, its receiver, or the calls that made its receiver."""
    current: CallView | None = call
    while current is not None:
        fact = current.fact
        if any(touches((*each.value.names, each.value.text), names) for each in fact.arguments):
            return True
        if touches(IDENTIFIER.findall(_written(fact.callee)), names):
            return True
        current = current.receiver
    return False


def flows_from_receiver(call: CallView, names: frozenset[str]) -> bool:
    """Whether the call is made on loop data: `order.total()` for each order, but not `self.total(order)`."""
    current: CallView | None = call
    while current is not None:
        if touches(IDENTIFIER.findall(_written(current.fact.callee)), names):
            return True
        current = current.receiver
    return False


def _written(callee: str) -> str:
    """The names of a callee: `order.customer` of `<read> order.customer`, nothing of `<call>.first`."""
    return callee.partition("> ")[2] if callee.startswith("<") else callee


def inside(function: Function, block: int, outer: int) -> bool:
    """Whether block number `block` is block number `outer` or lies in it."""
    return outer in ancestors(function.blocks, block)


def bound_call(function: FunctionView, name: str, position: int) -> CallView | None:
    """The call whose result a local name last got before `position`, as far as assignments tell."""
    for each in reversed(function.fact.assignments):
        if each.position < position and name in each.targets and not each.unpacked:
            return function.calls_by_index.get(each.value.call) if each.value.call >= 0 else None
    return None
