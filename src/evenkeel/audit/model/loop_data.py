"""Loop data: the names that carry an element of a loop, step by step, and whether they reach a call. Pure functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from evenkeel.audit.model.facts import Call, Function
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.view import CallView, FunctionView

TAKING = frozenset({"pop", "popleft", "popitem", "get_nowait", "next", "anext"})
PART = re.compile(r"\.|\[\]")  # where a part of a chain ends
IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\])*")


class Making(NamedTuple):
    """What one assignment, or one block that goes through or opens something, makes from what."""

    place: int  # the block it stands in; of a block its own number
    block: int  # its own number when it is a block, else -1
    sources: frozenset[str]  # names from which what it makes is taken
    made: tuple[str, ...]  # the names that carry it


REMEMBERED = 1_024  # functions and loops; the same loop is asked for by many rules
_makings: dict[int, tuple[Function, tuple[Making, ...]]] = {}  # by identity of the function
_carriers: dict[tuple[int, int], tuple[Function, frozenset[str]]] = {}  # by identity of the function, and loop


def loop_data(function: Function, index: int) -> frozenset[str]:
    """Names that carry an element of the loop inside it: its targets and what is made from them, step by step."""
    known = _carriers.get((id(function), index))
    if known is None or known[0] is not function:
        if len(_carriers) >= REMEMBERED:
            _carriers.clear()
        known = _carriers[id(function), index] = (function, frozenset(_carried(function, index)))
    return known[1]


def _carried(function: Function, index: int) -> set[str]:
    names = {_holder(each) for each in function.blocks[index].targets} or _taken(function, index)
    waiting = [each for each in _all_made(function) if each.block != index and inside(function, each.place, index)]
    size = -1
    while waiting and len(names) != size:
        size = len(names)
        left: list[Making] = []
        for each in waiting:
            if names.isdisjoint(each.sources):
                left.append(each)
            else:
                names.update(each.made)
        waiting = left
    return names


def _all_made(function: Function) -> tuple[Making, ...]:
    known = _makings.get(id(function))
    if known is None or known[0] is not function:
        if len(_makings) >= REMEMBERED:
            _makings.clear()
        known = _makings[id(function)] = (function, tuple(_makings_of(function)))
    return known[1]


def _makings_of(function: Function) -> Iterator[Making]:
    for each in function.assignments:
        if each.value.names and each.targets:
            yield Making(each.block, -1, starts(each.value.names), tuple(map(_holder, each.targets)))
    for number, block in enumerate(function.blocks):
        subject = block.subject
        if subject is not None and block.targets:
            chains = subject.names or IDENTIFIER.findall(subject.text)
            yield Making(number, number, starts(chains), tuple(map(_holder, block.targets)))


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
    return any(not names.isdisjoint(_starts(chain)) for chain in chains)


def starts(chains: Iterable[str]) -> frozenset[str]:
    """Every name that one of the chains starts with; what `touches` compares."""
    return frozenset(itertools.chain.from_iterable(map(_starts, chains)))


@lru_cache(maxsize=16_384)
def _starts(chain: str) -> tuple[str, ...]:
    """The name that a chain starts with: its root; of `self.rows[].id` also `self.rows` and `self.rows[]`."""
    root = chain.partition(".")[0].removesuffix("[]")
    if root not in {"self", "cls"}:
        return (root,)
    return (*(chain[: each.start()] for each in PART.finditer(chain)), chain)


def flows_into(call: CallView, names: frozenset[str]) -> bool:
    """Whether loop data reaches a call: through its arguments, its receiver, or the calls that made its receiver."""
    current: CallView | None = call
    while current is not None:
        if not names.isdisjoint(_passed(current.fact)) or not names.isdisjoint(_named(current.fact.callee)):
            return True
        current = current.receiver
    return False


def flows_from_receiver(call: CallView, names: frozenset[str]) -> bool:
    """Whether the call is made on loop data: `order.total()` for each order, but not `self.total(order)`."""
    current: CallView | None = call
    while current is not None:
        if not names.isdisjoint(_named(current.fact.callee)):
            return True
        current = current.receiver
    return False


def _passed(call: Call) -> Iterator[str]:
    for each in call.arguments:
        for chain in (*each.value.names, each.value.text):
            yield from _starts(chain)


@lru_cache(maxsize=16_384)
def _named(callee: str) -> frozenset[str]:
    """What the names of a callee start with: `order` of `<read> order.customer`, nothing of `<call>.first`."""
    return starts(IDENTIFIER.findall(callee.partition("> ")[2] if callee.startswith("<") else callee))


def inside(function: Function, block: int, outer: int) -> bool:
    """Whether block number `block` is block number `outer` or lies in it."""
    return outer in ancestors(function.blocks, block)


def bound_call(function: FunctionView, name: str, position: int) -> CallView | None:
    """The call whose result a local name last got before `position`, as far as assignments tell."""
    for each in reversed(function.fact.assignments):
        if each.position < position and name in each.targets and not each.unpacked:
            return function.call(each.value.call) if each.value.call >= 0 else None
    return None
