"""Control flow as far as blocks tell it: which calls can follow which, and what encloses what. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.audit.model.facts import Block

LOOPS = frozenset({"for", "while", "comprehension"})
BRANCHES = frozenset({"if", "else", "case", "except"})


REMEMBERED = 16_384
_lines: dict[tuple[int, int], tuple[Sequence[Block], tuple[int, ...]]] = {}  # asked a million times an audit; bounded


def ancestors(blocks: Sequence[Block], block: int) -> tuple[int, ...]:
    """The block itself and everything around it, innermost first, the body last."""
    known = _lines.get((id(blocks), block))
    if known is not None and known[0] is blocks:
        return known[1]
    found = []
    each = block
    while each >= 0:
        found.append(each)
        each = blocks[each].parent
    if len(_lines) >= REMEMBERED:
        _lines.clear()
    line = tuple(found)
    _lines[id(blocks), block] = (blocks, line)
    return line


def enclosing(blocks: Sequence[Block], block: int, *kinds: str) -> tuple[Block, ...]:
    """The enclosing blocks of the given kinds, innermost first."""
    return tuple(blocks[each] for each in ancestors(blocks, block) if blocks[each].kind in kinds)


def loops_around(blocks: Sequence[Block], block: int, position: int) -> tuple[Block, ...]:
    """The loops that repeat what stands at `position`, innermost first. A loop's own iterable is not repeated."""
    found = []
    for each in enclosing(blocks, block, *LOOPS):
        if each.kind == "comprehension" and each.subject is not None and _is_first_iterable(each, position):
            continue
        found.append(each)
    return tuple(found)


def _is_first_iterable(block: Block, position: int) -> bool:
    return position < block.start


def may_follow(blocks: Sequence[Block], first: int, second: int) -> bool:
    """Whether control can run through block `first` and then reach block `second` (same pass of every loop).

    No, when they are different branches of one decision, or when `first` ends by leaving (return, raise, break, continue)
    before the code they share goes on.
    """
    first_line, second_line = ancestors(blocks, first), set(ancestors(blocks, second))
    branch = -1
    for each in first_line:
        if each in second_line:
            break
        if blocks[each].exits and blocks[each].kind in BRANCHES:
            return False
        branch = each
    if branch < 0:
        return True
    other = next((each for each in ancestors(blocks, second) if blocks[each].parent == blocks[branch].parent), -1)
    return other < 0 or not _alternatives(blocks, branch, other)


def _alternatives(blocks: Sequence[Block], left: int, right: int) -> bool:
    kinds = {blocks[left].kind, blocks[right].kind}
    if left == right or not kinds <= BRANCHES:
        return False
    if kinds in ({"case"}, {"except"}):
        return True
    return _decision(blocks, left) == _decision(blocks, right)


def _decision(blocks: Sequence[Block], block: int) -> int:
    while blocks[block].kind == "else" and blocks[block].origin >= 0:
        block = blocks[block].origin
    return block
