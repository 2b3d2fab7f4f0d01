"""Code in a loop that does not run for each element: after an error, for the one that was looked for, for what is new."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.view import CallView

EQUAL = re.compile(r"^([\w.]+) == ([\w.]+)$")
ABSENT = re.compile(r"^\w+\.[\w.]+ not in ([\w.]+)$")  # what elements share; elements themselves differ
MISSES = re.compile(
    r"KeyError|IndexError|LookupError|DoesNotExist|NotFound|NoResult|Missing"
)  # a look-up's other answer
TELLS_ONE = re.compile(r"(^|[._])(id|pk|uuid|guid|slug|key|code|token|email|username|name)$")


def runs_seldom(call: CallView, loop: int, targets: tuple[str, ...]) -> bool:
    """Whether a call in a loop runs only after an error, or for the one element that an outer value names."""
    return any(_is_failure(block) or _picks_one(block, targets) for block in _between(call, loop))


def kept_by_hand(call: CallView, loop: int) -> str:
    """The map in which the loop keeps what it has asked for, and looks before it asks again; "" when there is none."""
    function = call.function
    blocks = function.fact.blocks
    for block in _between(call, loop):
        absent = ABSENT.match(block.subject.text) if block.kind == "if" and block.subject is not None else None
        index = next(i for i, each in enumerate(blocks) if each is block)
        if absent and any(
            f"{absent[1]}[]" in each.targets and inside(function.fact, each.block, index)
            for each in function.fact.assignments
        ):
            return absent[1]
    return ""


def _between(call: CallView, loop: int) -> Iterator[Block]:
    """The blocks from a call up to its loop, innermost first."""
    blocks = call.function.fact.blocks
    for index in ancestors(blocks, call.fact.block):
        if index == loop:
            return
        yield blocks[index]


def _is_failure(block: Block) -> bool:
    """An `except` for what went wrong; that something is not there yet is no error, and as frequent as it happens to be."""
    return block.kind == "except" and not (block.subject is not None and MISSES.search(block.subject.text))


def _picks_one(block: Block, targets: tuple[str, ...]) -> bool:
    """`if role.slug == wanted:` with a name of its own on the other side."""
    equal = EQUAL.match(block.subject.text) if block.kind == "if" and block.subject is not None else None
    if equal is None:
        return False
    own = [each for each in equal.groups() if each.partition(".")[0] in targets]
    other = next((each for each in equal.groups() if each not in own), "")
    is_variable = other.partition(".")[0].islower() and not other.isdigit()
    return len(own) == 1 and TELLS_ONE.search(own[0]) is not None and is_variable
