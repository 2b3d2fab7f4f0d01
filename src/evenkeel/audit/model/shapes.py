"""What stands in a function's code, as bits of one number: told when it is linked, so that nothing is decoded for a no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from evenkeel.audit.model.facts import Assignment, BlockKind, Call, Function
from evenkeel.audit.model.flow import loop_numbers
from evenkeel.audit.model.index import Link

STANDS: dict[str, int] = {kind: 1 << number for number, kind in enumerate(get_args(BlockKind))}
LOOP_STATEMENTS = STANDS["for"] | STANDS["while"]
LOOPS = LOOP_STATEMENTS | STANDS["comprehension"]
PLAIN_WITH = 1 << 16  # a `with` that is no `async with`
GATHERS = 1 << 18  # adds to what a name holds: `x += y`, `x = x + y`
RETURNS = 1 << 19  # gives back what a call gave, or what a name holds
FEEDS = 1 << 20  # makes a list by a comprehension to give it to a call
METHOD = 1 << 21
YIELDS = 1 << 17  # a generator


def shape_of(function: Function) -> int:
    """Which kinds of blocks stand in a function, and what else can be told of it so shortly."""
    shape = (YIELDS if function.is_generator else 0) | (METHOD if function.owner >= 0 else 0)
    for block in function.blocks:
        shape |= STANDS[block.kind]
        if block.kind == "with" and not block.is_async:
            shape |= PLAIN_WITH
    if any(map(_gathers, function.assignments)):
        shape |= GATHERS
    if any(each.kind == "return" and each.value.kind in {"call", "name"} for each in function.exits):
        shape |= RETURNS
    if shape & STANDS["comprehension"] and any(map(_feeds, function.calls)):
        shape |= FEEDS
    return shape


def _gathers(assignment: Assignment) -> bool:
    return assignment.operator == "+=" or (assignment.value.kind == "other" and " + " in assignment.value.text)


def _feeds(call: Call) -> bool:
    first = call.arguments[0].value if call.arguments else None
    return first is not None and first.kind == "comprehension" and first.text.startswith("[")


def looped_calls(function: Function, implicit: Sequence[Call], links: Iterable[Link]) -> tuple[int, ...]:
    """Of the calls that have links those that a loop repeats. `implicit` calls are numbered after the written ones."""
    blocks, written = function.blocks, function.calls
    count = len(written)
    found = []
    for link in links:
        call = written[link.call] if link.call < count else implicit[link.call - count]
        if loop_numbers(blocks, call.block, call.position):
            found.append(link.call)
    return tuple(found)
