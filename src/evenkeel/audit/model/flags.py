"""Flags: parameters that decide whether a function does something, as in `def create(obj, flush=False): if flush: ...`.

What stands under a flag happens only for callers that raise it. A guard says which parameter has to be what; it is held
against the arguments of each call on the way from caller to callee. A flag may also be a member of an enumeration,
`if mode is Mode.WRITE: session.commit()`: members are known by numbers above 1 (`_member`). Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from zlib import crc32

from evenkeel.audit.model.facts import Block, Call, Function, Value
from evenkeel.audit.model.flow import ancestors

Guard = tuple[
    int, ...
]  # (parameter number without self, value it must have, its default: 1, 0, a member's number, or -1
# unknown), or (); a value below -1 is any but that member
UNPACKED = (-1, 0)  # among an edge's flags: arguments come from `*args` or `**kwargs`

MEMBER = re.compile(r"(?:\w+\.)*[A-Z]\w*\.[A-Z][A-Z0-9_]*")  # `Mode.WRITE`
IS_MEMBER = re.compile(r"^(\w+) (is not|is|==|!=) ([\w.]+)$")
FALSE = frozenset({"False", "None", "0", '""', "''", "()", "[]", "{}"})


def truth(value: Value | None) -> int:
    """1 or 0 for a literal, the number of an enumeration's member, -1 for anything that only running tells."""
    if value is not None and value.kind == "name" and MEMBER.fullmatch(value.text):
        return _member(value.text)
    if value is None or value.kind not in {"constant", "number", "string"} or value.names:
        return -1  # an f-string says what its holes are filled with
    return 0 if value.text in FALSE or (value.kind == "string" and value.size == 0) else 1


def _member(text: str) -> int:
    """A number above 1 for `Mode.WRITE`, the same wherever it is named."""
    return crc32(".".join(text.split(".")[-2:]).encode()) + 2


def opposite(wanted: int) -> int:
    """What a flag has to be where it is not what is wanted."""
    return -wanted if abs(wanted) > 1 else 1 - wanted


def met(wanted: int, value: int) -> int:
    """1 when a value is what a guard wants, 0 when it is not, -1 when nothing tells."""
    if abs(wanted) > 1:
        same = -1 if value in {-1, 1} else int(value == abs(wanted))
        return same if same < 0 or wanted > 0 else 1 - same
    return int(value == wanted) if value in {0, 1} else -1


def defaults_of(function: Function, names: Sequence[str]) -> tuple[int, ...]:
    """The truth of each parameter's default, in the order of `names`; -1 where there is none."""
    given = {each.name: truth(each.default) for each in function.parameters}
    return tuple(given.get(name, -1) for name in names)


def guard_at(function: Function, names: Sequence[str], block: int, position: int) -> Guard:
    """The flag under which a place in a function is reached; () when it is reached whatever is passed."""
    return guards_of(function, names)(block, position)


def guards_of(function: Function, names: Sequence[str]) -> Callable[[int, int], Guard]:
    """`guard_at` of one function, for who asks of many places: answers a block and a position in it."""
    blocks = function.blocks
    branches = [(number, each) for number, each in enumerate(blocks) if each.kind in {"if", "else"}] if names else []
    guards = {number: found for number, each in branches if (found := _guard(function, names, each))}
    if not guards:
        return _unguarded
    leaving = {each.block for each in function.exits if each.kind == "return"}
    left = [each for each in guards if blocks[each].kind == "if" and each in leaving and blocks[each].exits]

    def guard(block: int, position: int) -> Guard:
        around = ancestors(blocks, block)
        for index in around:
            if index in guards:
                return guards[index]
        for index in left:
            if blocks[index].end < position and blocks[index].parent in around:
                flag, wanted, default = guards[index]
                return (flag, opposite(wanted), default)
        return ()

    return guard


def _unguarded(_block: int, _position: int) -> Guard:
    return ()


def _guard(function: Function, names: Sequence[str], block: Block) -> Guard:
    subject, negated = block.subject, False
    if block.kind == "else" and subject is None and block.origin >= 0:
        origin = function.blocks[block.origin]
        subject, negated = (origin.subject, True) if origin.kind == "if" else (None, False)
    if block.kind not in {"if", "else"} or subject is None:
        return ()
    parts = [subject.text] if negated else subject.text.split(" and ")
    for part in parts:
        name, wanted = _flag(part.strip())
        if name in names and not _is_rebound(function, name):
            number = list(names).index(name)
            return (number, opposite(wanted) if negated else wanted, defaults_of(function, names)[number])
    return ()


def _flag(text: str) -> tuple[str, int]:
    wanted = 1
    named = IS_MEMBER.match(text)
    if named is not None and MEMBER.fullmatch(named[3]):
        return named[1], _member(named[3]) if named[2] in {"is", "=="} else -_member(named[3])
    if text.startswith("not "):
        text, wanted = text[4:].strip(), 0
    head, _, tail = text.partition(" is ")
    if tail in {"True", "False"}:
        return head.strip(), wanted if tail == "True" else 1 - wanted
    return (text, wanted) if text.isidentifier() else ("", 1)


def _is_rebound(function: Function, name: str) -> bool:
    return any(name in each.targets for each in function.assignments)


def flags_passed(call: Call, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """(parameter of the callee, what `truth` says) for each argument that a call passes."""
    found: list[tuple[int, int]] = []
    for position, argument in enumerate(call.arguments):
        if argument.keyword in {"*", "**"}:
            found.append(UNPACKED)
        elif argument.keyword in names:
            found.append((list(names).index(argument.keyword), truth(argument.value)))
        elif not argument.keyword:
            found.append((position, truth(argument.value)))
    return tuple(found)


def settled(guard: Guard, flags: Sequence[tuple[int, int]]) -> int:
    """1 when a call that passes `flags` meets the guard, 0 when it does not, -1 when the call leaves it open."""
    for parameter, value in flags:
        if parameter == guard[0]:
            return met(guard[1], value)
    return -1 if UNPACKED in flags else met(guard[1], guard[2])
