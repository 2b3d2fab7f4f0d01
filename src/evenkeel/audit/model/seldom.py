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
UNSET = re.compile(r"^(?:([a-z_]\w*) is None|not ([a-z_]\w*))$")
MISSES = re.compile(
    r"KeyError|IndexError|LookupError|DoesNotExist|NotFound|NoResult|Missing"
)  # a look-up's other answer
TELLS_ONE = re.compile(r"(^|[._])(id|pk|uuid|guid|slug|key|code|token|email|username|name)$")


def runs_seldom(call: CallView, loop: int, targets: tuple[str, ...]) -> bool:
    """Whether a call in a loop runs only after an error, or for the one element that an outer value names."""
    between = _between(call, loop)
    if any(_is_failure(each) or _picks_one(each, targets) or _is_first_time(call, loop, each) for each in between):
        return True
    return _is_second_try(call, loop)


def _is_first_time(call: CallView, loop: int, block: Block) -> bool:
    """`if kind is None: kind = load()`: what one pass has filled in, the others find."""
    asked = UNSET.match(block.subject.text) if block.kind == "if" and block.subject is not None else None
    if asked is None:
        return False
    name, function = asked[1] or asked[2], call.function
    fact = function.fact
    given = [each for each in fact.assignments if name in each.targets and inside(fact, each.block, loop)]
    filled = [each for each in given if block.start <= each.position <= block.end]
    return bool(filled) and len(filled) == len(given) and name not in fact.blocks[loop].targets


def _is_second_try(call: CallView, loop: int) -> bool:
    """One by one after all at once has failed, to find out which: `except IntegrityError: for row in rows: ...`."""
    function = call.function
    for block in function.blocks_around(loop, "except"):
        bulk = (each for each in function.calls_with("db-bulk") if function.is_inside(each.fact.block, block.origin))
        if next(bulk, None) is not None:
            return True
    return False


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
