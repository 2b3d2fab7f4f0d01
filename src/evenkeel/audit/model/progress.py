"""Progress that is written to a row while work goes on, told by the names of columns, whoever looks at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.flow import loops_around
from evenkeel.audit.model.regions import ends_transaction, regions
from evenkeel.audit.model.shapes import LOOP_STATEMENTS
from evenkeel.audit.model.view import CallView, FunctionView

PROGRESS = re.compile(r"^(\w+_)?(progress|percent|percentage|pct)(_\w+)?$", re.IGNORECASE)
COUNTER = re.compile(
    r"^((current|last)_(step|stage|page|item|index)|(\w+_)?(processed|completed|done|finished|handled|imported))(_\w+)?$",
    re.IGNORECASE,
)
SET_IN_SQL = re.compile(r"\bSET\s+(.*?)(?:\bWHERE\b|$)", re.IGNORECASE | re.DOTALL)
COLUMN = re.compile(r"\"?(\w+)\"?\s*=(?!=)")
AUTOCOMMIT = ("django.", "tortoise.", "peewee.")  # outside a transaction block each write commits by itself


class Step(NamedTuple):
    """One place in a loop that says how far the work is: the call that sends it, or the call nearest to it."""

    call: CallView
    table: str  # entity or table, short
    column: str
    loop: Block
    position: int
    line: int


def unseen_progress(function: FunctionView) -> Iterator[Step]:
    """Steps of a loop that stay inside one transaction until the loop is over, in evaluation order."""
    if not function.shape & LOOP_STATEMENTS:
        return
    for step in sorted((*_assigned(function), *_stated(function)), key=lambda each: each.position):
        if not ended_within(function, step.loop) and _held(function, step.loop, step.call):
            yield step


def ended_within(function: FunctionView, loop: Block) -> bool:
    """Whether a commit or a rollback stands inside the loop; leaving a `with` around the loop is none."""
    return any(
        is_inside(function, call, loop) and (call.reaches("commit") or ends_transaction(call))
        for call in function.calls
    )


def is_inside(function: FunctionView, call: CallView, loop: Block) -> bool:
    """Whether a call is made by a loop. A `with` that ends where the loop ends, but begins before, is left after it."""
    if call.link.implicit == "leave" and function.fact.blocks[call.fact.block].start < loop.start:
        return False
    return loop.start <= call.fact.position <= loop.end


def _assigned(function: FunctionView) -> Iterator[Step]:
    """`job.progress = n` in a loop over something else, where `job` is an entity."""
    if not function.knows_entities:
        return
    blocks = function.fact.blocks
    for fact in function.fact.assignments:
        loop = next(
            (each for each in loops_around(blocks, fact.block, fact.position) if each.kind != "comprehension"), None
        )
        if loop is None or fact.operator not in {"=", "+="}:
            continue
        for target in fact.targets:
            root, _, column = target.partition(".")
            entity = function.module.entity(function.types.get(root, ""))
            if entity is None or root in loop.targets or root in {"self", "cls"} or _made_in(function, root, loop):
                continue
            sent = _sends(function, loop)
            if PROGRESS.match(column) or (COUNTER.match(column) and sent is not None):
                call = sent or next((c for c in function.calls if c.fact.position > fact.position), None)
                if call is not None:
                    yield Step(call, entity.name.rpartition(".")[2], column, loop, fact.position, fact.line)


def _made_in(function: FunctionView, name: str, loop: Block) -> bool:
    """Whether the loop gives the name another row in each pass."""
    return any(name in each.targets and loop.start <= each.position <= loop.end for each in function.fact.assignments)


def _sends(function: FunctionView, loop: Block) -> CallView | None:
    """The call of a loop that sends what was changed to the database, without a commit."""
    return next((c for c in function.calls if is_inside(function, c, loop) and c.has("db-flush", "db-update")), None)


def _stated(function: FunctionView) -> Iterator[Step]:
    """`UPDATE jobs SET progress = ...` in a loop, as text or built."""
    for call in function.calls_repeating("db-update"):
        effect = call.effect("db-update")
        loop = next((each for each in call.loops if each.kind != "comprehension"), None)
        if effect is None or loop is None or call.has("db-delete"):
            continue
        column = next((each for each in _columns(call) if PROGRESS.match(each)), "")
        if column and not call.uses(loop.targets[:1] if loop.kind == "for" and _keys_by(call, loop) else ()):
            yield Step(call, effect.detail.rpartition(".")[2], column, loop, call.fact.position, call.line)


def _keys_by(call: CallView, loop: Block) -> bool:
    """Whether the loop's own element says which row is meant."""
    text = " ".join(step for step in call.query if step.startswith(("where(", "filter(", "filter_by(")))
    return any(re.search(rf"\b{re.escape(each)}\b", text) for each in loop.targets)


def _columns(call: CallView) -> Iterator[str]:
    for step in call.query:
        if step.startswith(("values(", "update(")):
            yield from COLUMN.findall(step)
        elif found := SET_IN_SQL.search(step):
            yield from COLUMN.findall(found[1])


def _held(function: FunctionView, loop: Block, sent: CallView) -> bool:
    """Whether one transaction is open all through the loop: a block around it, or a commit that comes after it."""
    if any(
        each.kind == "transaction" and each.start < loop.start and loop.end <= each.end for each in regions(function)
    ):
        return True
    if sent.library.startswith(AUTOCOMMIT):
        return False
    after = (call for call in function.calls if call.fact.position > loop.end and call.link.implicit != "leave")
    return any(call.has("commit") for call in after)
