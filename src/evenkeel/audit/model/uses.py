"""How a value is used: which attributes of a loop's element are read, and where a name is used at all. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.facts import Block, Function, Value

WRITTEN = 60  # characters of a comprehension's head that tell it from others; long expressions are cut


def values_of(function: Function) -> Iterator[tuple[int, Value]]:
    """Every recorded expression of a function with its position: arguments, assigned values, results, iterables."""
    for call in function.calls:
        for argument in call.arguments:
            yield call.position, argument.value
    for each in function.assignments:
        yield each.position, each.value
    for leaving in function.exits:
        yield leaving.position, leaving.value
    for block in function.blocks:
        if block.subject is not None:
            yield block.start, block.subject


def chains_of(value: Value) -> tuple[str, ...]:
    """The chains that an expression reads."""
    return value.names or ((value.text,) if value.kind == "name" else ())


def element_attributes(function: Function, block: Block) -> frozenset[str] | None:
    """The attributes of a loop's element that the loop reads; None when the element itself goes anywhere, is changed or
    called, so that what is used of it cannot be told."""
    if len(block.targets) != 1 or "." in block.targets[0]:
        return None
    name = block.targets[0]
    chains = set(_chains_inside(function, block, name))
    if any(each == name or each.startswith(f"{name}[]") for each in chains):
        return None
    called = any(each.callee.startswith(f"{name}.") for each in function.calls if _holds(block, each.position))
    assigned = any(
        target.startswith(f"{name}.")
        for each in function.assignments
        if _holds(block, each.position)
        for target in each.targets
    )
    if called or assigned:
        return None
    return frozenset(each.split(".")[1].removesuffix("[]") for each in chains if each.startswith(f"{name}."))


def _chains_inside(function: Function, block: Block, name: str) -> Iterator[str]:
    for position, value in values_of(function):
        if block.kind == "comprehension" and _is_that(value, block):
            yield from (each for each in chains_of(value) if each.partition(".")[0].removesuffix("[]") == name)
        elif _holds(block, position) and value is not block.subject and value.kind != "comprehension":
            yield from chains_of(value)
    yield from (each.chain for each in function.reads if _holds(block, each.position))


def _holds(block: Block, position: int) -> bool:
    return block.start <= position <= block.end


def _is_that(value: Value, block: Block) -> bool:
    """Whether an expression is, or holds, the comprehension that a block stands for."""
    subject = block.subject.text if block.subject is not None else ""
    return f"for {block.targets[0]} in {subject}"[:WRITTEN] in value.text


def condition_of(function: Function, block: Block) -> str:
    """The `if` of a comprehension as written; "" when it has none."""
    for _, value in values_of(function):
        if value.kind == "comprehension" and _is_that(value, block):
            rest = value.text.partition(f"for {block.targets[0]} in ")[2]
            match = re.search(r"\bif\b(.*)[\])}]$", rest, re.DOTALL)
            return match[1].strip() if match else ""
    return ""


def places_of(function: Function, name: str) -> list[int]:
    """Positions at which a local name is read, its attributes included."""
    found = [
        position
        for position, value in values_of(function)
        if any(each.partition(".")[0].removesuffix("[]") == name for each in chains_of(value))
    ]
    found += [each.position for each in function.calls if each.callee.partition(".")[0] == name]
    found += [each.position for each in function.reads if each.chain.partition(".")[0].removesuffix("[]") == name]
    return sorted(set(found))
