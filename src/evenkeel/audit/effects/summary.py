"""What propagation needs of a linked function: its own effects, whom it calls and how, and what it loads by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from evenkeel.audit.effects.passing import OUTER, Known, Scene, passed_on, scene_of, statement_given
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function
from evenkeel.audit.model.flags import Guard, defaults_of, guards_of, met, opposite
from evenkeel.audit.model.flow import LOOPS, loop_numbers
from evenkeel.audit.model.index import CallMode, Fetch, Link, LinkedFunction
from evenkeel.audit.model.once import first_time_regions, is_inside, is_memoised, kept_regions
from evenkeel.audit.model.read_through import Remembered, read_through, remembered_at
from evenkeel.audit.model.singles import is_partial, is_single, is_unique, key_chains

LOCAL_KINDS = frozenset(
    {"log", "copy", "cache-read", "cache-write", "stream-response", "connect", "close", "lock", "offload", "gather"}
)

RESOURCES = frozenset({"session", "connection", "transaction", "client"})  # who opens one matters to callers

LOOP_MAKERS = frozenset(
    {"asyncio.run", "asyncio.Runner.run", "asyncio.AbstractEventLoop.run_until_complete", "anyio.run", "uvloop.run"}
)  # run one coroutine to its end, on a loop that serves the caller


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


def summarise(function: Function, linked: LinkedFunction, project: Known) -> Summary:
    """The summary of one linked function."""
    calls = (*function.calls, *linked.implicit)
    own = project.parameters[linked.id]
    telling = [each for each in linked.links if each.targets or each.runs or (each.effects and _tells(each))]
    effects, edges, fetches = _passed_on(function, linked, telling, project) if telling else ((), (), ())
    known = {link.call for link in linked.links if link.library or link.targets or link.runs}
    unresolved = len([each for each, call in enumerate(function.calls) if "." in call.callee and each not in known])
    holds = _holds_session(linked, calls, own, project.roles)
    defaults = defaults_of(function, own)
    has_while, loops = any(b.kind == "while" for b in function.blocks), {(b.kind, b.is_async) for b in function.blocks}
    return Summary(linked.id, effects, edges, fetches, unresolved, holds, defaults, has_while, ("for", True) in loops)


def _passed_on(
    function: Function, linked: LinkedFunction, telling: Sequence[Link], project: Known
) -> tuple[tuple[Own, ...], tuple[Edge, ...], tuple[Fetch, ...]]:
    """What the links of a function that callers hear of come to."""
    calls = (*function.calls, *linked.implicit)
    scene = scene_of(linked.id, function, project)
    effects: list[Own] = []
    edges: list[Edge] = []
    fetches: list[Fetch] = []
    guard_at = guards_of(function, project.parameters[linked.id])
    memoised = is_memoised(function, cached=linked.cached)
    first_time = first_time_regions(function)
    kept_on_self = kept_regions(function, cached=linked.cached)
    remembered = read_through(function, guard_at)
    loop_makers = {link.call for link in linked.links if link.library in LOOP_MAKERS}
    blocks = function.blocks
    has_loops = any(each.kind in LOOPS for each in blocks)
    for link in telling:
        call = calls[link.call]
        looped = has_loops and bool(loop_numbers(blocks, call.block, call.position))
        once = memoised or (bool(first_time) and is_inside(call.position, first_time))
        kept = bool(kept_on_self) and is_inside(call.position, kept_on_self)
        guard = guard_at(call.block, call.position)
        keepings = _keepings(remembered, call.position, guard, kept=kept)
        for kept_here, when in keepings:
            if link.targets or link.runs:
                how = (looped, once, kept_here, when, call.parent in loop_makers)
                edges.extend(_edges(scene, call, link, project, how))
            for each in () if once else link.effects:
                if _travels(each):
                    spawned = link.mode == "spawn" and each.kind != "spawn"
                    stated = statement_given(scene, call, each)
                    effects.append(Own(each, call.line, call.column, spawned, looped, kept_here, when, stated))
        if link.effects and not (once or linked.cached or keepings[0][0]):
            fetches.extend(_fetches(function, call, link, scene.taints))
    return tuple(effects), tuple(edges), tuple(fetches)


def _keepings(
    remembered: tuple[Remembered, ...], position: int, guard: Guard, *, kept: bool
) -> tuple[tuple[bool, Guard], ...]:
    """Whether what happens at a position is kept, and under which flag; where a flag decides that, both ways."""
    found = remembered_at(remembered, position) if remembered and not kept else None
    if found is None:
        return ((kept, guard),)
    if not found.guard or guard:
        return ((not found.guard or met(found.guard[1], found.guard[2]) == 1, guard),)
    flag, wanted, default = found.guard
    return ((True, found.guard), (False, (flag, opposite(wanted), default)))


def _edges(
    scene: Scene, call: Call, link: Link, project: Known, how: tuple[bool, bool, bool, Guard, bool]
) -> Iterator[Edge]:
    """`how`: whether it is looped, once, kept; its guard; whether it runs in a loop of its own."""
    looped, once, kept, guard, own_loop = how
    for target in link.targets:
        flows, flags, texts, made_from = passed_on(scene, call, project.parameters[target], project.statements)
        yield Edge(
            target, call.line, call.column, "", looped, flows, link.variables, once, kept, guard, flags, texts, made_from,
            own_loop,
        )  # fmt: skip
    for target in link.runs:
        repeated = looped or link.applied >= 0
        around = scene.id if project.parents.get(target, -1) == scene.id else -1
        count = len(project.parameters[around]) if around >= 0 else 0
        outer = tuple([(OUTER + number, number) for number in range(count)])
        yield Edge(
            target, call.line, call.column, link.mode, repeated, once=once, kept=kept, guard=guard, made_from=outer
        )


def _tells(link: Link) -> bool:
    return any(map(_travels, link.effects))


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
