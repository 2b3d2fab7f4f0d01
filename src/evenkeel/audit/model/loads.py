"""Loads by key inside one function, its callees included, and which of them load what is already at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.answers import once_a_function
from evenkeel.audit.model.effects import Effect, bind_variables
from evenkeel.audit.model.facts import Value
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.index import Fetch, FunctionInfo
from evenkeel.audit.model.masks import GETS
from evenkeel.audit.model.singles import is_partial, is_single, is_unique, key_chains
from evenkeel.audit.model.view import CallView, FunctionView

TRANSPARENT = frozenset({"with", "try", "finally", "match"})  # blocks that run whenever the code around them does


class Load(NamedTuple):
    """A call that loads one row by key.

    `key` are the values it is keyed with, as written in this function, `literals` those that are constants; `source`
    tells where the statement is, so that two loads of an unknown entity can be compared."""

    call: CallView
    entity: str
    key: tuple[str, ...]
    source: str
    identity: bool
    partial: bool
    unique: bool
    path: tuple[Step, ...]
    literals: tuple[str, ...] = ()


def may_load_twice(function: FunctionView) -> bool:
    """Whether a load may give what is at hand already: another load's row, or an entity's. Nothing is decoded for it."""
    return bool(function.mask & GETS) and (function.knows_entities or function.count_marked(GETS) > 1)


@once_a_function
def loads_of(function: FunctionView) -> Iterator[Load]:
    """Every load by key of a function, in evaluation order; but by an element, whose index the facts do not tell."""
    for call in function.calls_marked(GETS):
        if call.link.effects or call.link.targets or call.link.runs:
            yield from (load for load in _loads(call) if not any("[]" in each for each in load.key))


def _loads(call: CallView) -> Iterator[Load]:
    if call.link.mode == "spawn":
        return
    if call.has("db-read", "db-key-read"):
        yield from _direct(call)
    for target in (*call.targets, *(call.runs if call.link.implicit == "inject" else ())):
        for fetch in target.fetches:
            injected = call.link.implicit == "inject"
            key, literals = _injected_key(target, fetch) if injected else _passed_key(call, target, fetch)
            if key:
                entity = bind_variables(Effect("db-read", fetch.entity), call.link.variables).detail
                kind = (fetch.identity, fetch.partial, fetch.unique)
                path = _path(call, target, fetch)
                yield Load(call, entity, key, f"{target.name}:{fetch.line}", *kind, path, literals)


def _direct(call: CallView) -> Iterator[Load]:
    read = call.effect("db-read", "db-key-read")
    written = call.fact if call.link.implicit == "" else None
    if read is None or written is None or not is_single(call.function.fact, written, call.link):
        return
    names = _names(call.function)
    chains = key_chains(written, call.link)
    key = tuple(each for each in chains if each.partition(".")[0] in names and not each.startswith("self."))
    if key:
        steps = "|".join(call.query)
        yield Load(
            call,
            read.detail,
            key,
            steps,
            call.has("db-key-read"),
            is_partial(call.link),
            is_unique(call.link),
            (call.step,),
        )


@once_a_function
def _names(function: FunctionView) -> Iterator[str]:
    """What may vary: its variables and parameters."""
    yield from function.types
    for each in function.fact.assignments:
        yield from each.targets
    yield from (each.name for each in function.fact.parameters)


Key = tuple[tuple[str, ...], tuple[str, ...]]  # what varies, and literals


def _passed_key(call: CallView, target: FunctionInfo, fetch: Fetch) -> Key:
    """What the call passes for the parameters of the key; nothing when part of it cannot be told."""
    passed = call.passed_to(target)
    if any(each.keyword in {"*", "**"} for each in call.fact.arguments) or fetch.parameter not in passed:
        return (), ()
    values = [passed[number].value for number in (fetch.parameter, *fetch.others) if number in passed]
    literals = [each for each in values if each.kind in {"constant", "string", "number"}]
    key = dict.fromkeys(_written(each) for each in values if each not in literals)
    if set(key) <= {"self", "cls"}:
        return (), ()
    return tuple(key), tuple(each.text for each in literals)


def _written(value: Value) -> str:
    """The value as a chain; a column of a row by its name, `order["id"]`, like one by attribute, `order.id`."""
    column = value.names[-1] if value.names and value.text.endswith("[]") and value.text.count("[]") == 1 else ""
    return f"{value.text.removesuffix('[]')}.{column.strip(chr(39))}" if column.startswith("'") else value.text


def _injected_key(target: FunctionInfo, fetch: Fetch) -> Key:
    """A dependency is given what its parameters are named after: the same path or query parameters as the handler."""
    return tuple(target.parameters[number] for number in (fetch.parameter, *fetch.others)), ()


def _path(call: CallView, target: FunctionInfo, fetch: Fetch) -> tuple[Step, ...]:
    functions = call.function.module.index.functions
    steps = [call.step, Step(target.file, fetch.line, target.name)]
    current: Fetch | None = fetch
    while current is not None and current.next >= 0 and len(steps) < 8:
        info = functions[current.next]
        entity = current.entity
        current = next((each for each in info.fetches if each.entity == entity), None)
        current = current or next(iter(info.fetches), None)
        if current is not None:
            steps.append(Step(info.file, current.line, info.name))
    return tuple(steps)


def holder_of(load: Load) -> str:
    """The variable that a load's result is given, straight or through the calls chained to it; "" when none."""
    function = load.call.function
    results = {load.call.index}
    for index, call in enumerate(function.fact.calls):
        if call.receiver in results:
            results.add(index)
    given = (each for each in function.fact.assignments if each.value.kind == "call" and each.value.call in results)
    return next((each.targets[0] for each in given if len(each.targets) == 1 and "." not in each.targets[0]), "")


def same_entity(left: Load, right: Load) -> bool:
    """Whether two loads give the same kind of row: the same entity, or by the same statement when it is not known."""
    if left.entity and right.entity:
        return left.entity == right.entity
    return left.source == right.source


def rebound_between(function: FunctionView, chain: str, start: int, end: int) -> bool:
    """Whether a name, or what hangs on it, is given another value between two positions."""
    root = chain.partition(".")[0]
    between = [each for each in function.fact.assignments if start < each.position < end]
    assigned = any(
        t == chain or t.partition(".")[0] == root
        for each in between
        if root not in {"self", "cls"} or chain in each.targets
        for t in each.targets
    )
    looped = any(start < each.start < end and root in each.targets for each in function.fact.blocks)
    return assigned or looped


def runs_before(first: CallView, second: CallView) -> bool:
    """Whether every way to `second` has run through `first`: it stands around it, and no branch skips it."""
    blocks = first.function.fact.blocks
    block = first.fact.block
    while block >= 0 and blocks[block].kind in TRANSPARENT:
        block = blocks[block].parent
    around = ancestors(blocks, second.fact.block)
    return first.fact.position < second.fact.position and block in around and second.follows(first)
