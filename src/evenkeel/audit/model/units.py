"""Units of work: what a function writes and commits on its own, and whether one unit is made from another's result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.masks import mask_of
from evenkeel.audit.model.regions import SAVEPOINT, WRITES, ends_transaction, regions
from evenkeel.audit.model.view import CallView, FunctionView

REPEATABLE = re.compile(
    r"(^|_)(ensure|upsert|\w+_or_(get|create|update|insert|add|restore|reactivate))"
    r"|^_*(get|find|load|fetch|lookup|resolve)_"
)  # done again, it changes nothing; a lookup that makes what it misses
WRITING = mask_of(*WRITES, "db-write")
COMMITS, ENDING = mask_of("commit"), mask_of("commit", "db-write")
AUTOCOMMIT = ("django.", "tortoise.", "peewee.")  # outside a transaction block each write commits by itself


@dataclass(frozen=True, slots=True)
class CommittedUnit:
    """Writes that end in one commit. `made`: variables that hold what it wrote."""

    write: CallView  # the first write
    commit: CallView  # the call that commits: the same call when a callee or the library commits by itself
    made: frozenset[str]
    inserts: bool
    certain: bool
    entity: str  # of the first row that is inserted, short; "" when unknown


def committed_units(function: FunctionView, least: int = 1) -> tuple[CommittedUnit, ...]:
    """Every unit of a function in order, () when it cannot have `least`; writes inside one explicit transaction are not
    units."""
    if function.count_marked(WRITING) < least or _most_endings(function) < least:
        return ()
    ending = [each for each in function.calls_marked(ENDING) if _commits(each) or _autocommits(each)]
    if len(ending) < least:
        return ()
    held = [each for each in regions(function) if each.kind == "transaction"]
    units = _units(function, lambda call: not any(each.covers(call) for each in held))
    return tuple(units)


def _most_endings(function: FunctionView) -> int:
    """How many calls may end a unit, at the most: told before its code is decoded."""
    by_itself = [each for each in function.links_marked(ENDING) if each.library.startswith(AUTOCOMMIT)]
    return function.count_marked(COMMITS) + len(by_itself)


def _units(function: FunctionView, counts: Callable[[CallView], bool]) -> Iterator[CommittedUnit]:
    pending: list[CallView] = []
    for call in function.calls_reaching(*WRITES, "commit", "rollback"):
        if not counts(call):
            continue
        writes = call.reaches(*WRITES)
        commits = _commits(call)
        if _autocommits(call):  # by itself alone: what waits for a commit waits on
            yield _unit(function, [call], call)
        elif writes and commits:
            yield _unit(function, [*pending, call], call)
            pending = []
        elif commits and pending:
            yield _unit(function, pending, call)
            pending = []
        elif writes:
            pending.append(call)
        elif ends_transaction(call):
            pending = []


def _commits(call: CallView) -> bool:
    return any(each.effect.detail != SAVEPOINT for each in call.reaches("commit"))


def _autocommits(call: CallView) -> bool:
    return call.library.startswith(AUTOCOMMIT) and call.has("db-write")


def _unit(function: FunctionView, writes: list[CallView], commit: CallView) -> CommittedUnit:
    made = {name for call in writes for name in _made_by(function, call)}
    inserts = any(call.reaches("db-insert", "db-pending", "db-pending-insert") for call in writes)
    certain = all(reach.effect.certain for call in writes for reach in call.reaches(*WRITES)[:1])
    rows = (each.effect.detail for call in writes for each in call.reaches("db-insert", "db-pending-insert"))
    return CommittedUnit(writes[0], commit, frozenset(made), inserts, certain, next(map(short_entity, rows), ""))


def _made_by(function: FunctionView, call: CallView) -> Iterator[str]:
    """Variables that hold what a write made: its result, or the object it was given."""
    for assignment in function.fact.assignments:
        if assignment.value.call == call.index and assignment.value.kind == "call" and _makes_rows(call):
            yield from (each for each in assignment.targets if each.isidentifier())
    if call.has("db-pending", "db-pending-insert"):
        for argument in call.fact.arguments:
            if argument.value.kind == "name" and argument.value.text.isidentifier():
                yield argument.value.text


def _makes_rows(call: CallView) -> bool:
    """Whether its result may be what it wrote: a lookup that takes a lock, or sweeps on its way, gives what it found."""
    if call.reaches("db-insert", "db-pending-insert"):
        return True
    return bool(call.reaches("db-pending")) and not call.reaches("db-pending-delete")


def is_derived(first: CommittedUnit, second: CommittedUnit) -> bool:
    """Whether the second unit's writes use what the first one made, directly or through variables made from it."""
    if not first.made or REPEATABLE.search(first.commit.name):
        return False
    function = first.write.function
    if _makes_up_for(function, first, second):
        return False
    names = set(first.made)
    for assignment in function.fact.assignments:
        if assignment.position > first.write.fact.position and _uses(assignment.value.names, names):
            names.update(each for each in assignment.targets if each.isidentifier())
    between = [
        call
        for call in function.calls_reaching(*WRITES)
        if second.write.fact.position >= call.fact.position > first.commit.fact.position and call.reaches(*WRITES)
    ]
    using = (each for each in between if _argument_uses(each, names))
    return any(_argument_uses(call, names - _bound_anew(function, first, call, names)) for call in using)


def _bound_anew(function: FunctionView, first: CommittedUnit, call: CallView, names: set[str]) -> set[str]:
    """Names that something else was given to after the first unit's commit, on the way to a call."""
    start, end = first.commit.fact.position, call.fact.position
    latest: dict[str, bool] = {}
    for each in function.fact.assignments:
        if start < each.position < end and function.is_inside(call.fact.block, each.block):
            derived = (
                each.operator != "=" or _uses(each.value.names, names) or _made_of(function, each.value.call, names)
            )
            latest.update((target, derived) for target in each.targets)
    return {name for name, derived in latest.items() if not derived}


def _made_of(function: FunctionView, index: int, names: set[str]) -> bool:
    call = function.call(index) if index >= 0 else None
    return call is not None and (_argument_uses(call, names) or call.holder.partition(".")[0] in names)


def _makes_up_for(function: FunctionView, first: CommittedUnit, second: CommittedUnit) -> bool:
    """Whether the second runs in an `except` or `finally` that the first is not in: that is how the first is undone."""
    around = set(function.blocks_around(second.write.fact.block, "except", "finally"))
    return bool(around.difference(function.blocks_around(first.write.fact.block, "except", "finally")))


def _argument_uses(call: CallView, names: set[str]) -> bool:
    return any(_uses(a.value.names, names) or _uses((a.value.text,), names) for a in call.fact.arguments)


def _uses(chains: tuple[str, ...], names: set[str]) -> bool:
    return not names.isdisjoint([each.partition(".")[0].removesuffix("[]") for each in chains])
