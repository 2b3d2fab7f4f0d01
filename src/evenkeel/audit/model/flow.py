"""Control flow as far as blocks tell it: which calls can follow which, and what encloses what. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.audit.model.facts import Block

LOOPS = frozenset({"for", "while", "comprehension"})
BRANCHES = frozenset({"if", "else", "case", "except"})


REMEMBERED = 1_024  # functions; the lines of blocks are asked for a million times an audit
Line = tuple[int, ...]
_lines: dict[int, tuple[Sequence[Block], tuple[Line, ...], tuple[Line, ...]]] = {}  # by identity of the blocks


def ancestors(blocks: Sequence[Block], block: int) -> Line:
    """The block itself and everything around it, innermost first, the body last."""
    known = _lines.get(id(blocks))
    if known is None or known[0] is not blocks:
        known = _learn(blocks)
    return known[1][block] if block >= 0 else ()


def _learn(blocks: Sequence[Block]) -> tuple[Sequence[Block], tuple[Line, ...], tuple[Line, ...]]:
    """The lines of all blocks at once, and of each line the loops. An outer block has a lower number than an inner one."""
    lines: list[Line] = []
    loops: list[Line] = []
    for number, block in enumerate(blocks):
        parent = block.parent
        lines.append((number, *lines[parent]) if parent >= 0 else (number,))
        around = loops[parent] if parent >= 0 else ()
        loops.append((number, *around) if block.kind in LOOPS else around)
    if len(_lines) >= REMEMBERED:
        _lines.clear()
    known = _lines[id(blocks)] = (blocks, tuple(lines), tuple(loops))
    return known


def enclosing(blocks: Sequence[Block], block: int, *kinds: str) -> tuple[Block, ...]:
    """The enclosing blocks of the given kinds, innermost first."""
    return tuple([blocks[each] for each in ancestors(blocks, block) if blocks[each].kind in kinds])


def loops_around(blocks: Sequence[Block], block: int, position: int) -> tuple[Block, ...]:
    """The loops that repeat what stands at `position`, innermost first. A loop's own iterable is not repeated."""
    return tuple([blocks[each] for each in loop_numbers(blocks, block, position)])


def loop_numbers(blocks: Sequence[Block], block: int, position: int) -> Line:
    """The numbers of the blocks that `loops_around` answers with."""
    known = _lines.get(id(blocks))
    if known is None or known[0] is not blocks:
        known = _learn(blocks)
    around = known[2][block] if block >= 0 else ()
    if not around:
        return around
    return tuple([each for each in around if not _is_first_iterable(blocks[each], position)])


def _is_first_iterable(block: Block, position: int) -> bool:
    return block.kind == "comprehension" and block.subject is not None and position < block.start


def may_follow(blocks: Sequence[Block], first: int, second: int) -> bool:
    """Whether control can run through block `first` and then reach block `second` (same pass of every loop).

    No, when they are different branches of one decision, or when `first` ends by leaving (return, raise, break, continue)
    before the code they share goes on.
    """
    first_line, second_line = ancestors(blocks, first), ancestors(blocks, second)
    branch = -1
    for each in first_line:
        if each in second_line:
            break
        if blocks[each].exits and blocks[each].kind in BRANCHES:
            return False
        branch = each
    if branch < 0:
        return True
    other = next((each for each in second_line if blocks[each].parent == blocks[branch].parent), -1)
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
