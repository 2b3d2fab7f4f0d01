"""What tells that a loop writes one element after the other on purpose: each is told outside, or is a unit of its own."""

from __future__ import annotations

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.regions import WRITES, Region, regions
from evenkeel.audit.model.view import CallView

NEAR = frozenset({"redis", "cache", "memcached"})  # network that is no reason to do one element after another


def told_outside(call: CallView, loop: int) -> str:
    """The name of another call in the loop that reaches outside the process for each element: mail, HTTP, a program.

    What goes out after the write counts only where the loop sends it itself: an event that some callee publishes about
    the change is no reason to write one by one."""
    function = call.function
    for other in function.calls_reaching("network", "subprocess"):
        if other is not call and inside(function.fact, other.fact.block, loop):
            after = other.fact.position > call.fact.position
            reached = other.reaches("network", "subprocess", spawned=True)
            if any(each.effect.detail not in NEAR and (each.direct or not after) for each in reached):
                return other.name
    return ""


def own_unit(call: CallView, loop: int) -> str:
    """The question whether each element is a unit of work of its own, where the loop opens a transaction for each in which
    rows of several tables are written: the element's and what belongs to it. "" where nothing speaks for that."""
    function = call.function
    block = function.fact.blocks[loop]
    for region in regions(function):
        if (
            region.kind == "transaction"
            and block.start < region.start <= region.end <= block.end
            and region.covers(call)
        ):
            tables = _tables(call, region)
            if len(tables) > 1:
                return (
                    f"whether each element is a unit of work of its own: the transaction in line {region.line} writes "
                    f"{' and '.join(f'`{each}`' for each in tables[:2])} for it"
                )
    return ""


def _tables(call: CallView, region: Region) -> list[str]:
    """The entities, short, that the calls inside a transaction write."""
    found: dict[str, None] = {}
    for other in call.function.calls_reaching(*WRITES):
        if region.covers(other):
            nearest = next((each for each in other.reaches(*WRITES) if each.effect.detail), None)
            name = short_entity(nearest.effect.detail) if nearest is not None else ""
            found.update({name: None} if name else {})
    return list(found)
