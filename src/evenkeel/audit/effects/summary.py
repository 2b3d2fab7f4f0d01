"""What propagation needs of a linked function: its own effects, whom it calls and how, and what it loads by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.flags import Guard, defaults_of, flags_passed, guard_at
from evenkeel.audit.model.flow import loop_numbers
from evenkeel.audit.model.index import CallMode, Fetch, Link, LinkedFunction
from evenkeel.audit.model.once import first_time_regions, is_inside, is_memoised, kept_regions
from evenkeel.audit.model.singles import is_partial, is_single, is_unique, key_chains
from evenkeel.audit.model.sql import texts_passed

LOCAL_KINDS = frozenset(
    {"log", "copy", "cache-read", "cache-write", "stream-response", "connect", "close", "lock", "offload", "gather"}
)

RESOURCES = frozenset({"session", "connection", "transaction", "client"})  # who opens one matters to callers

LOOP_MAKERS = frozenset(
    {"asyncio.run", "asyncio.Runner.run", "asyncio.AbstractEventLoop.run_until_complete", "anyio.run", "uvloop.run"}
)  # run one coroutine to its end, on a loop that serves the caller

OUTER = 1_000  # numbers from here on are parameters of the function around: `lambda db: db.execute(statement)`


class Edge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One function calls another. `parameters`: (parameter of the callee, parameter of the caller that flows into it)."""

    callee: int
    line: int
    column: int
    mode: CallMode
    looped: bool
    parameters: tuple[tuple[int, int], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    once: bool = False  # only the first time in the life of the process: no cost of the callers that come after
    kept: bool = False  # only the first time for one object
    guard: Guard = ()  # a flag of the caller that has to be raised for the call
    flags: tuple[tuple[int, int], ...] = ()  # what the call passes for the callee's parameters, as far as it is literal
    texts: tuple[tuple[int, str], ...] = ()  # SQL that the call passes, by parameter of the callee
    made_from: tuple[tuple[int, int], ...] = ()  # as `parameters`, for what is made from one parameter of the caller
    own_loop: bool = False  # the callee's coroutine is handed to a loop made for it: `asyncio.run(work())`


class Own(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An effect that a call of the function has itself."""

    effect: Effect
    line: int
    column: int
    spawned: bool
    looped: bool
    kept: bool = False
    guard: Guard = ()
    statement: int = -1


class Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One function, reduced to what its callers need to know."""

    id: int
    effects: tuple[Own, ...] = ()
    edges: tuple[Edge, ...] = ()
    fetches: tuple[Fetch, ...] = ()
    unresolved: int = 0  # calls that nothing resolves
    holds_session: bool = False
    defaults: tuple[int, ...] = ()  # truth of each parameter's default, see model/flags.py
    has_while: bool = False
    has_stream: bool = False  # an `async for` loop


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the whole project: function id -> parameter names without self; type name -> role."""

    parameters: Sequence[tuple[str, ...]]
    roles: dict[str, str]
    statements: Mapping[str, str] = field(default_factory=dict)  # that stand in files, by name
    parents: Mapping[int, int] = field(default_factory=dict)  # function inside a function -> the one around it


class _Scene(NamedTuple):
    """The function whose calls are looked at. `taints`: name -> parameters whose value it carries; `seen`: with those of the
    function around it."""

    id: int
    function: Function
    taints: dict[str, frozenset[int]]
    seen: dict[str, frozenset[int]]


def summarise(function: Function, linked: LinkedFunction, project: Known) -> Summary:
    """The summary of one linked function."""
    calls = (*function.calls, *linked.implicit)
    own = project.parameters[linked.id]
    telling = [each for each in linked.links if each.targets or each.runs or any(_travels(e) for e in each.effects)]
    effects, edges, fetches = _passed_on(function, linked, telling, project) if telling else ((), (), ())
    known = {link.call for link in linked.links if link.library or link.targets or link.runs}
    unresolved = sum(1 for index, call in enumerate(function.calls) if index not in known and "." in call.callee)
    holds = _holds_session(linked, calls, own, project.roles)
    defaults = defaults_of(function, own)
    has_while, loops = any(b.kind == "while" for b in function.blocks), {(b.kind, b.is_async) for b in function.blocks}
    return Summary(linked.id, effects, edges, fetches, unresolved, holds, defaults, has_while, ("for", True) in loops)


def _passed_on(
    function: Function, linked: LinkedFunction, telling: Sequence[Link], project: Known
) -> tuple[tuple[Own, ...], tuple[Edge, ...], tuple[Fetch, ...]]:
    """What the links of a function that callers hear of come to."""
    calls = (*function.calls, *linked.implicit)
    own = project.parameters[linked.id]
    taints = _taints(function, own)
    scene = _Scene(linked.id, function, taints, {**_outer_names(linked.id, function, project), **taints})
    effects: list[Own] = []
    edges: list[Edge] = []
    fetches: list[Fetch] = []
    guards: dict[tuple[int, int], Guard] = {}
    memoised = is_memoised(function, cached=linked.cached)
    first_time = first_time_regions(function)
    kept_on_self = kept_regions(function, cached=linked.cached)
    loop_makers = {link.call for link in linked.links if link.library in LOOP_MAKERS}
    for link in telling:
        call = calls[link.call]
        looped = bool(loop_numbers(function.blocks, call.block, call.position))
        once = memoised or is_inside(call.position, first_time)
        kept = is_inside(call.position, kept_on_self)
        place = (call.block, call.position)
        if place not in guards:
            guards[place] = guard_at(function, own, *place)
        guard = guards[place]
        how = {"once": once, "kept": kept, "own_loop": call.parent in loop_makers}
        edges.extend(_edges(scene, call, link, looped, project, guard, **how))
        if once:
            continue
        effects.extend(
            Own(
                e,
                call.line,
                call.column,
                link.mode == "spawn" and e.kind != "spawn",
                looped,
                kept,
                guard,
                _statement(call, e, scene.seen),
            )
            for e in link.effects
            if _travels(e)
        )
        if not (linked.cached or kept):
            fetches.extend(_fetches(function, call, link, taints))
    return tuple(effects), tuple(edges), tuple(fetches)


def _travels(effect: Effect) -> bool:
    """Whether callers need to know: most effects; of resources and locks those that bound or isolate what callers do."""
    if effect.kind == "connect":
        return effect.detail in RESOURCES
    return effect.kind not in LOCAL_KINDS or (effect.kind == "lock" and effect.detail == "semaphore")


def _holds_session(
    linked: LinkedFunction, calls: tuple[Call, ...], parameters: tuple[str, ...], roles: dict[str, str]
) -> bool:
    """Whether the function is given a session, or uses one that it keeps on `self`."""
    given = [type_ for name, type_ in linked.types if name in parameters] if parameters else []
    kept = (link.receiver for link in linked.links if link.receiver and calls[link.call].callee.startswith("self."))
    return any(roles.get(each.partition("[")[0]) == "session" for each in (*given, *kept))


def _outer_names(function_id: int, function: Function, project: Known) -> dict[str, frozenset[int]]:
    """Parameters of the function around this one that it sees."""
    around = project.parents.get(function_id, -1)
    if around < 0 or not project.parameters[around]:
        return {}
    hidden = {each.name for each in function.parameters} | {t for each in function.assignments for t in each.targets}
    names = enumerate(project.parameters[around])
    return {name: frozenset({OUTER + number}) for number, name in names if name not in hidden}


def _taints(function: Function, parameters: tuple[str, ...]) -> dict[str, frozenset[int]]:
    """Local name -> parameters whose value it carries."""
    taints = {name: frozenset({index}) for index, name in enumerate(parameters)}
    for assignment in function.assignments if taints else ():
        carried = [taints[name] for name in assignment.value.names if name in taints]
        if carried:
            found = frozenset[int]().union(*carried)
            for target in assignment.targets:
                if target.isidentifier() and target not in parameters:
                    taints[target] = taints.get(target, frozenset()) | found
    return taints


def _edges(  # noqa: PLR0913 - one edge has that many sides
    scene: _Scene,
    call: Call,
    link: Link,
    looped: bool,
    project: Known,
    guard: Guard,
    *,
    once: bool,
    kept: bool,
    own_loop: bool,
) -> Iterator[Edge]:
    parameters_of = project.parameters
    for target in link.targets:
        flows = _flows(call, parameters_of[target], scene.taints)
        flags = flags_passed(call, parameters_of[target])
        texts = tuple(texts_passed(scene.function, call, parameters_of[target], project.statements).items())
        yield Edge(
            target,
            call.line,
            call.column,
            "",
            looped,
            flows,
            link.variables,
            once,
            kept,
            guard,
            flags,
            texts,
            _made_from(call, scene.seen),
            own_loop,
        )
    for target in link.runs:
        repeated = looped or link.applied >= 0
        around = scene.id if project.parents.get(target, -1) == scene.id else -1
        outer = tuple((OUTER + number, number) for number in range(len(parameters_of[around]))) if around >= 0 else ()
        yield Edge(
            target, call.line, call.column, link.mode, repeated, once=once, kept=kept, guard=guard, made_from=outer
        )


def _statement(call: Call, effect: Effect, taints: dict[str, frozenset[int]]) -> int:
    """The one parameter that an unknown statement comes from; -1 when the statement is known or made of several."""
    if effect.certain or not effect.kind.startswith("db-") or not call.arguments:
        return -1
    return _source(call.arguments[0].value, taints)


def _source(value: Value, taints: dict[str, frozenset[int]]) -> int:
    """The one parameter that a value is made from, or -1."""
    found = [taints[each] for each in (*value.names, value.text) if each in taints]
    if not found:
        return -1
    sources = frozenset[int]().union(*found)
    return next(iter(sources)) if len(sources) == 1 else -1


def _made_from(call: Call, taints: dict[str, frozenset[int]]) -> tuple[tuple[int, int], ...]:
    if not taints:
        return ()
    positional = (each.value for each in call.arguments if not each.keyword)
    return tuple((number, source) for number, each in enumerate(positional) if (source := _source(each, taints)) >= 0)


def _flows(call: Call, names: tuple[str, ...], taints: dict[str, frozenset[int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for position, argument in enumerate(call.arguments if taints else ()):
        if argument.keyword in {"*", "**"}:
            break
        index = names.index(argument.keyword) if argument.keyword in names else position
        if argument.value.kind == "name" and argument.value.text in taints:
            found.extend((index, parameter) for parameter in sorted(taints[argument.value.text]))
    return tuple(found)


def _fetches(function: Function, call: Call, link: Link, taints: dict[str, frozenset[int]]) -> Iterator[Fetch]:
    read = next((each for each in link.effects if each.kind in {"db-read", "db-key-read"}), None)
    if read is None or link.mode == "spawn" or not is_single(function, call, link):
        return
    identity = any(each.kind == "db-key-read" for each in link.effects)
    carried, key = _carried(function, call, link, taints)
    if key and carried:
        first, *rest = (*sorted(carried), *sorted(key - carried))
        yield Fetch(read.detail, first, call.line, -1, identity, tuple(rest), is_partial(link), is_unique(link))


def _carried(
    function: Function, call: Call, link: Link, taints: dict[str, frozenset[int]]
) -> tuple[frozenset[int], frozenset[int]]:
    """Parameters that flow into the key of a read: as themselves, and in all, attributes of them included.

    Nothing when part of the key comes from elsewhere: then two reads with equal arguments may give different rows."""
    chains = key_chains(call, link)
    local = {target for each in function.assignments for target in each.targets}
    local.update(target for each in function.blocks for target in each.targets)
    if any(root in local and root not in taints for root in (each.partition(".")[0] for each in chains)):
        return frozenset(), frozenset()
    bare = (taints[each] for each in chains if each in taints)
    rooted = (taints[root] for each in chains if (root := each.partition(".")[0]) in taints)
    return frozenset[int]().union(*bare), frozenset[int]().union(*rooted)
