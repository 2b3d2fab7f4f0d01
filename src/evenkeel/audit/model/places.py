"""Places that are no calls: an assignment or a block, as something a finding can be made at."""

from __future__ import annotations

from evenkeel.audit.model.facts import Assignment, Block, Call
from evenkeel.audit.model.function_view import NO_LINK
from evenkeel.audit.model.view import CallView, FunctionView


def at_assignment(function: FunctionView, assignment: Assignment) -> CallView:
    """The place of an assignment."""
    text = assignment.targets[0] if assignment.targets else ""
    return _place(function, text, assignment.line, assignment.line, assignment.position, assignment.block)


def at_block(function: FunctionView, index: int) -> CallView:
    """The place of block number `index`: from its first line to its last."""
    block: Block = function.fact.blocks[index]
    return _place(function, block.kind, block.line, block.end_line, block.start, max(block.parent, 0))


def _place(function: FunctionView, text: str, line: int, end_line: int, position: int, block: int) -> CallView:
    return CallView(function, -1, Call(f"<{text}>", -1, line, end_line, 0, position, block), NO_LINK)
