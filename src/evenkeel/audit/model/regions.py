"""Regions: how long a function holds a session, a connection or a transaction, and when a transaction is open in it.

A region is a stretch of one function. It may be opened by a `with` block, by an assignment, by a decorator, or by whoever
passed the session in. A session opens its transaction by itself at its first statement (autobegin) and ends it at commit,
rollback or close; an explicit transaction is open for the whole region.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from evenkeel.audit.model.answers import once_a_function
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import END, Block
from evenkeel.audit.model.index import FunctionInfo, Reached
from evenkeel.audit.model.masks import MANAGES
from evenkeel.audit.model.shapes import STANDS
from evenkeel.audit.model.view import CallView, FunctionView, Reach

RegionKind = Literal["transaction", "session", "connection"]
Opened = Literal["with", "assigned", "decorator", "passed", "attribute", "shared"]

HOLDERS = frozenset({"session", "connection", "transaction"})
NAMED_TRANSACTION = re.compile(r"(^|_)(transaction|atomic|unit_of_work)(_|$)", re.IGNORECASE)
STATEMENTS: tuple[EffectKind, ...] = ("db-read", "db-write", "db-flush", "db-pending", "db-refresh")
WRITES: tuple[EffectKind, ...] = ("db-write", "db-flush", "db-pending")
ENDS: tuple[EffectKind, ...] = ("commit", "rollback")
SAVEPOINT = "savepoint"


@dataclass(frozen=True, slots=True)
class Region:
    """One stretch, in positions of its function. `name` is the variable that holds it ("" when nothing does)."""

    kind: RegionKind
    opened: Opened
    name: str
    start: int
    end: int
    line: int
    end_line: int
    type: str = ""
    certain: bool = True  # False when its name alone says that it is a transaction

    def covers(self, call: CallView) -> bool:
        """Whether the call is made while it is held."""
        return self.start < call.fact.position <= self.end


@once_a_function
def regions(function: FunctionView) -> list[Region]:
    """Every region of a function, explicit transactions first."""
    found = [*_decorated(function), *_with_blocks(function), *_passed(function)]
    if _uses_session(function):
        found += (*_attributes(function), *_shared(function))
    found.sort(key=lambda each: (each.kind != "transaction", each.start))
    return found


def may_hold(function: FunctionView) -> bool:
    """Whether a function can have a region at all, told before its code is decoded."""
    linked = function.linked
    if linked.scope or function.shape & STANDS["with"]:
        return True
    roles = function.module.index.roles
    return _uses_session(function) or any(roles.get(each.partition("[")[0]) in HOLDERS for _, each in linked.types)


def _uses_session(function: FunctionView) -> bool:
    """Whether something is called on what is known as a session."""
    roles = function.module.index.roles
    links = function.linked.links
    return any(roles.get(each.receiver.partition("[")[0]) == "session" for each in links if each.receiver)


def _decorated(function: FunctionView) -> Iterator[Region]:
    if function.linked.scope:
        kind: RegionKind = "transaction" if function.linked.scope == "transaction" else "session"
        yield _whole(function, kind, "decorator", "", "")


def _whole(function: FunctionView, kind: RegionKind, opened: Opened, name: str, type_text: str) -> Region:
    fact = function.fact
    return Region(kind, opened, name, -1, END, fact.line, fact.end_line, type_text)


def opens_transaction(function: FunctionView, block: int) -> bool:
    """Whether a block is a `with` over an explicit transaction."""
    if function.fact.blocks[block].kind != "with":
        return False
    opened = function.fact.blocks[block]
    return any(each.kind == "transaction" and each.start == opened.start for each in _with_blocks(function))


def _with_blocks(function: FunctionView) -> Iterator[Region]:
    if not function.shape & STANDS["with"]:
        return
    managers = _manager_types(function)
    for index, block in enumerate(function.fact.blocks):
        if block.kind == "with" and block.subject is not None:
            name = block.targets[0] if block.targets else ""
            manager = managers.get(index, "")
            kind = _managed_kind(function, block, manager, name) or _kind_used(function, index, name)
            named = kind is None and not manager and _is_named_transaction(function, block)
            if kind is not None or named:
                place = (block.start, block.end, block.line, block.end_line)
                yield Region(kind or "transaction", "with", name, *place, function.types.get(name, ""), not named)


def _manager_types(function: FunctionView) -> dict[int, str]:
    """Block -> type of the manager, from the implicit enter and leave calls."""
    implicit = function.calls_marked(MANAGES)
    return {each.fact.block: each.link.receiver for each in implicit}


def _managed_kind(function: FunctionView, block: Block, manager: str, name: str) -> RegionKind | None:
    call = function.call(block.subject.call) if block.subject is not None else None
    if function.role_of(manager) == "transaction" or (call is not None and call.has("begin")):
        return None if _is_savepoint(call) else "transaction"
    bound = function.role_of(function.types.get(name, ""))
    if bound == "transaction":
        return "transaction"
    if call is not None and _commits_itself(call):
        return "transaction"
    if call is not None and _opens_session(call):
        return "session"
    role = bound or function.role_of(manager) or (function.role_of(call.link.result) if call is not None else "")
    return role if role in {"session", "connection"} else None  # type: ignore[return-value]


def _kind_used(function: FunctionView, block: int, name: str) -> RegionKind | None:
    """What a manager that nothing resolves gives, by how the name is used inside: `with open_session() as session:`."""
    opened = function.fact.blocks[block]
    call = function.call(opened.subject.call) if opened.subject is not None else None
    if not name or name in function.types or call is None or call.library or call.targets:
        return None
    inside = (
        each for each in function.calls if each.holder == name and opened.start < each.fact.position <= opened.end
    )
    return "session" if any(function.role_of(each.link.receiver) == "session" for each in inside) else None


def _is_savepoint(call: CallView | None) -> bool:
    return call is not None and any(each.detail == SAVEPOINT for each in call.effects)


def _is_named_transaction(function: FunctionView, block: Block) -> bool:
    """`with db_transaction():` where nothing tells what is called (a proxy that is filled in at start-up)."""
    call = function.call(block.subject.call) if block.subject is not None else None
    if call is None or not NAMED_TRANSACTION.search(call.name):
        return False
    return not (call.library or call.effects or any(target.reaches for target in call.targets))


def _commits_itself(call: CallView) -> bool:
    """A project context manager that begins and commits around what it yields; not a call that does so by itself and
    gives something else to enter."""
    if not call.link.result.startswith("contextlib."):
        return False
    kinds = {reached.effect.kind for target in call.targets for reached in target.reaches}
    return {"commit", "begin"} <= kinds and not kinds & {"db-write", "db-read"}


def _opens_session(call: CallView) -> bool:
    """A project context manager that opens a session around what it yields, whatever that is."""
    if not call.link.result.startswith("contextlib."):
        return False
    return any(r.effect.kind == "connect" and r.effect.detail == "session" for t in call.targets for r in t.reaches)


def _passed(function: FunctionView) -> Iterator[Region]:
    for parameter in function.fact.parameters:
        type_text = function.types.get(parameter.name, "")
        role = function.role_of(type_text)
        if role in HOLDERS and parameter.name not in {"self", "cls"}:
            kind: RegionKind = "session" if role == "session" else "connection"
            yield _whole(function, kind, "passed", parameter.name, type_text)


def _attributes(function: FunctionView) -> Iterator[Region]:
    """Sessions kept on `self`."""
    seen: set[str] = set()
    for call in function.calls_linked(lambda link: function.role_of(link.receiver) == "session"):
        holder = call.holder
        if holder.startswith("self.") and holder not in seen:
            seen.add(holder)
            yield _whole(function, "session", "attribute", holder, call.link.receiver)


def _shared(function: FunctionView) -> Iterator[Region]:
    """A session that everyone reaches under one name, `db.session`: one for each request or job, opened by its first use."""
    own = {"self", "cls", *function.types, *(each.name for each in function.fact.parameters)}
    own.update(target for each in function.fact.assignments for target in each.targets)
    own.update(target for each in function.fact.blocks for target in each.targets)
    for call in function.calls:
        root = call.holder.partition(".")[0]
        if root.isidentifier() and root not in own and function.role_of(call.link.receiver) == "session":
            yield _whole(function, "session", "shared", call.holder, call.link.receiver)
            return


def opened_by(region: Region, function: FunctionView, at: CallView) -> CallView | None:
    """The call that opened the transaction which is open at `at`, or None when none is. Explicit ones open at once: then
    the answer is the latest statement before, or `at` itself."""
    if region.kind == "transaction":
        before = [each for each in function.calls if region.covers(each) and at.follows(each) and each is not at]
        return before[-1] if before else at
    opener: CallView | None = None
    for call in function.calls_reaching(*STATEMENTS, *ENDS):
        if call is at or not region.covers(call) or not at.follows(call):
            continue
        if ends_transaction(call):
            opener = None
        elif opener is None and touches_database(call):
            opener = call
    return opener


def touches_database(call: CallView) -> bool:
    """Whether making the call sends a statement, itself or through what it calls."""
    return bool(call.reaches(*STATEMENTS))


def writes_database(call: CallView) -> bool:
    """Whether making the call changes rows, or queues a change for the next flush."""
    return bool(call.reaches(*WRITES))


def ends_transaction(call: CallView) -> bool:
    """Whether after the call no transaction is open: it commits or rolls back, itself or through what it calls, and sends
    nothing after that (a refresh after the commit opens the next one)."""
    if any(each.kind in ENDS and each.detail != SAVEPOINT for each in call.effects):
        return True
    return bool(call.targets) and all(_leaves_closed(target) for target in call.targets)


def _leaves_closed(target: FunctionInfo) -> bool:
    """A callee's rollback is its error path: what follows here follows its success."""
    last_commit = max((r.line for r in target.reaches if _is_commit(r)), default=-1)
    last_statement = max((r.line for r in target.reaches if r.effect.kind in STATEMENTS), default=-1)
    return last_commit >= max(last_statement, 0)


def _is_commit(reached: Reached) -> bool:
    return reached.effect.kind == "commit" and reached.effect.detail != SAVEPOINT


def judged_deeper(call: CallView, reach: Reach) -> bool:
    """Whether a function on the way holds the session itself and uses it before the effect: the fault is found there."""
    functions = call.function.module.index.functions
    by_name = {each.id: each for each in (*call.targets, *call.runs)}
    info = next(
        (each for each in by_name.values() if len(reach.path) > 1 and each.name == reach.path[1].function), None
    )
    while info is not None:
        reached = next((r for r in info.reaches if r.effect.kind == reach.effect.kind and _same(r, reach)), None)
        if reached is None:
            return False
        if info.holds_session and any(r.effect.kind in STATEMENTS and r.line < reached.line for r in info.reaches):
            return True
        info = functions[reached.next] if reached.next >= 0 else None
    return False


def _same(reached: Reached, reach: Reach) -> bool:
    return reached.effect.detail == reach.effect.detail
