"""Code in a loop that does not run for each element: after an error, for the one that was looked for, for what is new."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.view import CallView, FunctionView

EQUAL = re.compile(r"^([\w.]+) == ([\w.]+)$")
ABSENT = re.compile(r"^([\w.]+) not in ([\w.]+)$")
UNSET = re.compile(r"^(?:([a-z_]\w*) is None|not ([a-z_]\w*))$")
MISSES = re.compile(
    r"KeyError|IndexError|LookupError|DoesNotExist|NotFound|NoResult|Missing"
)  # a look-up's other answer
ONE_KEY = re.compile(
    r"""^(\w+) (?:==|is) (?:"[^"]*"|'[^']*'|\d+|(?:\w+\.)*[A-Z]\w*(?:\.\w+)?)(?: and .*)?$"""
)  # a key is one thing
TELLS_ONE = re.compile(r"(^|[._])(id|pk|uuid|guid|slug|key|code|token|email|username|name)$")


def runs_seldom(call: CallView, loop: int, targets: tuple[str, ...]) -> bool:
    """Whether a call in a loop runs only after an error, or for the one element that an outer value names."""
    between = list(_between(call, loop))
    if any(_is_failure(each) or _picks_one(each, targets) or _is_first_time(call, loop, each) for each in between):
        return True
    if any(_asks_for_key(each, targets) for each in between) and _goes_through_keys(call.function, loop):
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
        if absent is None or not _is_shared(function, loop, absent[1]):
            continue
        index = next(i for i, each in enumerate(blocks) if each is block)
        if any(
            f"{absent[2]}[]" in each.targets and inside(function.fact, each.block, index)
            for each in function.fact.assignments
        ):
            return absent[2]
    return ""


def _asks_for_key(block: Block, targets: tuple[str, ...]) -> bool:
    """`if key == "state":` of the name that a loop gives first."""
    asked = ONE_KEY.match(block.subject.text) if block.kind in {"if", "else"} and block.subject is not None else None
    return asked is not None and asked[1] in targets[:1]


def _goes_through_keys(function: FunctionView, loop: int) -> bool:
    """Whether a loop gives the keys of a map, each of them once: `for key in options` with `options[key]`, `.items()`."""
    block = function.fact.blocks[loop]
    subject = block.subject
    if subject is None or block.kind == "while":
        return False
    made = function.call(subject.call) if subject.kind == "call" and subject.call >= 0 else None
    if made is not None:
        return made.name in {"items", "keys"} and not made.fact.arguments
    looked_up = (
        each.names
        for each in (
            *(a.value for a in function.fact.assignments),
            *(argument.value for call in function.fact.calls for argument in call.arguments),
        )
    )
    return any(f"{subject.text}[]" in names and block.targets[0] in names for names in looked_up)


def _is_shared(function: FunctionView, loop: int, name: str) -> bool:
    """Whether elements may have it in common, `row.owner_id`, one column of `for name, owner_id in rows`: elements themselves
    differ, and so do the keys of a map."""
    block = function.fact.blocks[loop]
    if "." in name:
        return True
    if name not in block.targets:
        return any(
            name in each.targets and inside(function.fact, each.block, loop) for each in function.fact.assignments
        )
    made = function.call(block.subject.call) if block.subject is not None and block.subject.call >= 0 else None
    counted = made is not None and made.name == "enumerate"
    is_key = block.targets[0] == name and _goes_through_keys(function, loop)
    return len(block.targets) > 1 and not counted and not is_key


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
