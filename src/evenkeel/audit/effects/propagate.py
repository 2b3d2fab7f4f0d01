"""Propagation: effects travel from callee to caller, each with the next step of its witness path.

Breadth first from where effects happen, so the first way found is a shortest one. What a caller gets:

- through a plain call, everything; but what blocks inside an *async* callee is that callee's own fault, not its caller's;
- through an offload (thread or process pool), everything, no longer blocking;
- through a spawn (a task of its own), everything, marked `spawned`: it happens, but not while the caller waits.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from evenkeel.audit.effects.private_loops import mark_private_loops
from evenkeel.audit.effects.standing import Standing
from evenkeel.audit.effects.summary import Edge, Summary
from evenkeel.audit.model.effects import Effect, bind_variables, with_inserts
from evenkeel.audit.model.flags import Guard, met, settled
from evenkeel.audit.model.index import Fetch, Reached, Role
from evenkeel.audit.model.sql import stated

MAX_DETAILS = 8  # distinct details kept per function and kind; more add nothing to a finding
MAX_FETCH_DEPTH = 6
SERVED_ROLES: frozenset[Role] = frozenset({"handler", "websocket", "dependency"})
HOT_ROLES: frozenset[Role] = SERVED_ROLES | {"consumer"}
ENTRY_ORDER: tuple[Role, ...] = (
    "handler", "websocket", "dependency", "consumer", "task", "cron", "signal", "startup", "cli", "migration",
)  # fmt: skip

Callers = Mapping[int, Sequence[tuple[int, Edge]]]  # function id -> who calls it, and how
Key = tuple[str, str, bool, bool, bool, bool, Guard, int]
How = tuple[bool, bool, int, bool, Guard, int]  # spawned, looped, column, kept, guard, statement: as in Reached


def propagate(functions: Sequence[Standing], summaries: Sequence[Summary]) -> None:
    """Fill in `reaches`, `fetches`, `roles`, `hot` and the way to the nearest entry of every function."""
    callers: defaultdict[int, list[tuple[int, Edge]]] = defaultdict(list)
    for summary in summaries:
        for edge in summary.edges:
            if not edge.once:
                callers[edge.callee].append((summary.id, edge))
    _spread_effects(functions, summaries, callers)
    _spread_fetches(functions, summaries, callers)
    _spread_roles(functions, summaries)
    mark_private_loops(functions, summaries)


class _Found:
    """What is known to be reached so far, and what callers have not heard of yet."""

    def __init__(self) -> None:
        self.tables: dict[int, dict[Key, Reached]] = {}  # of the functions that reach anything
        self.queue: deque[tuple[int, Reached]] = deque()
        self.full: set[tuple[int, str]] = set()  # functions that reach so much of one kind that no more is taken
        self._counts: dict[tuple[int, str], int] = {}

    def offer(self, function_id: int, effect: Effect, line: int, following: int, depth: int, how: How) -> None:
        """Note that a function reaches an effect, unless it is known to, or reaches enough of that kind.

        `line`, `following`, `depth` and `how` are the rest of the `Reached` that is made of it."""
        spawned, looped, _, kept, guard, statement = how
        key = (effect.kind, effect.detail, effect.blocking, spawned, looped, kept, guard, statement)
        table = self.tables.setdefault(function_id, {})
        of_kind = (function_id, effect.kind)
        if key in table or of_kind in self.full:
            return
        count = self._counts[of_kind] = self._counts.get(of_kind, 0) + 1
        if count == MAX_DETAILS:
            self.full.add(of_kind)
        reached = table[key] = Reached(effect, line, following, depth, *how)
        self.queue.append((function_id, reached))


def _spread_effects(functions: Sequence[Standing], summaries: Sequence[Summary], callers: Callers) -> None:
    found = _Found()
    for summary in summaries:
        for own in summary.effects:
            how = (own.spawned, own.looped, own.column, own.kept, own.guard, own.statement)
            found.offer(summary.id, own.effect, own.line, -1, 0, how)
    queue, full = found.queue, found.full
    while queue:
        callee, reached = queue.popleft()
        kind, is_async = reached.effect.kind, functions[callee].is_async
        for caller, edge in callers.get(callee, ()):
            if reached.statement < 0 and (caller, kind) in full:
                continue
            guard: Guard | None = edge.guard
            if reached.guard:
                guard = _guard_of_caller(edge, reached.guard, summaries[caller].defaults)
            if guard is not None:
                _tell(found, caller, edge, reached, guard, _as_heard(reached.effect, edge, is_async=is_async))
    for function_id, table in found.tables.items():
        functions[function_id].reaches = tuple(table.values())


def _tell(found: _Found, caller: int, edge: Edge, reached: Reached, guard: Guard, effect: Effect) -> None:
    """Let a caller know what its callee reaches; `effect` and `guard` are as the caller sees them."""
    spawned = reached.spawned or edge.mode == "spawn"
    looped, kept = reached.looped or edge.looped, reached.kept or edge.kept
    effects, statement = ((effect,), -1) if reached.statement < 0 else _stated(effect, edge, reached.statement)
    if edge.variables:
        effects = with_inserts(effects, edge.variables)
    for each in effects:
        how = (spawned, looped, edge.column, kept, guard, statement)
        found.offer(caller, each, edge.line, edge.callee, reached.depth + 1, how)


def _as_heard(effect: Effect, edge: Edge, *, is_async: bool) -> Effect:
    """A callee's effect as its caller sees it; `is_async`: the callee is."""
    if edge.variables:
        effect = bind_variables(effect, edge.variables)
    if effect.blocking and (is_async or edge.mode in {"offload", "spawn"}):
        return Effect(effect.kind, effect.detail, False, effect.certain)
    return effect


def _stated(effect: Effect, edge: Edge, statement: int) -> tuple[tuple[Effect, ...], int]:
    """What running the statement does that the caller gives as parameter number `statement`, once that is known; else the
    caller's own parameter that it comes from, or -1."""
    text = dict(edge.texts).get(statement, "")
    if text:
        return stated(effect, text), -1
    passed = (*edge.parameters, *edge.made_from)
    return (effect,), next((ours for theirs, ours in passed if theirs == statement), -1)


def _guard_of_caller(edge: Edge, guard: Guard, defaults: tuple[int, ...]) -> Guard | None:
    """The flag of the caller under which the effect happens; None when this call never raises the callee's flag."""
    if not guard:
        return edge.guard
    answer = settled(guard, edge.flags)
    if answer == 0:
        return None
    ours = next((ours for theirs, ours in edge.parameters if theirs == guard[0]), -1)
    # Of two flags the one says more that is down for callers which leave it out.
    if answer == 1 or ours < 0 or (edge.guard and met(guard[1], defaults[ours]) != 0):
        return edge.guard
    return (ours, guard[1], defaults[ours])


def _spread_fetches(functions: Sequence[Standing], summaries: Sequence[Summary], callers: Callers) -> None:
    tables: defaultdict[int, dict[tuple[str, int], Fetch]] = defaultdict(dict)
    queue: deque[tuple[int, Fetch, int]] = deque()
    for summary in summaries:
        for fetch in summary.fetches:
            if (fetch.entity, fetch.parameter) not in tables[summary.id]:
                tables[summary.id][fetch.entity, fetch.parameter] = fetch
                queue.append((summary.id, fetch, 0))
    while queue:
        callee, fetch, depth = queue.popleft()
        for caller, edge in callers.get(callee, ()) if depth < MAX_FETCH_DEPTH else ():
            key = _key_of_caller(edge, fetch)
            entity = _bound_entity(fetch.entity, edge)
            if key and (entity, key[0]) not in tables[caller]:
                unique = fetch.unique and not _names_part(edge, fetch)
                found = Fetch(entity, key[0], edge.line, callee, fetch.identity, key[1:], fetch.partial, unique)
                tables[caller][entity, key[0]] = found
                queue.append((caller, found, depth + 1))
    for function_id, table in tables.items():
        functions[function_id].fetches = tuple(table.values())


def _key_of_caller(edge: Edge, fetch: Fetch) -> tuple[int, ...]:
    """The caller's parameters that make up the key of a fetch; () when part of the key comes from elsewhere."""
    key: dict[int, None] = {}
    passed = dict(edge.flags)
    for theirs in (fetch.parameter, *fetch.others):
        ours = [mine for callees, mine in edge.parameters if callees == theirs]
        if not ours and passed.get(theirs, 0) not in {0, 1}:
            return ()
        key.update(dict.fromkeys(ours))
    return tuple(key)


def _names_part(edge: Edge, fetch: Fetch) -> bool:
    """Whether the caller itself says part of the key, `has_right(user, "admin")`: which one, another caller cannot tell."""
    said = {each for each, _ in edge.flags}.difference(theirs for theirs, _ in edge.parameters)
    return not said.isdisjoint((fetch.parameter, *fetch.others))


def _bound_entity(entity: str, edge: Edge) -> str:
    return dict(edge.variables).get(entity.removeprefix("var:"), entity)


def _spread_roles(functions: Sequence[Standing], summaries: Sequence[Summary]) -> None:
    """Which kinds of entry points reach a function; the way to the nearest one of the most important kind."""
    edges = {summary.id: summary.edges for summary in summaries if summary.edges}
    roles: defaultdict[int, set[Role]] = defaultdict(set)
    for role in ENTRY_ORDER:
        _spread_role(role, functions, edges, roles)
    for function_id, found in roles.items():
        info = functions[function_id]
        info.roles = tuple(each for each in ENTRY_ORDER if each in found)
        info.hot = bool(found & (HOT_ROLES if info.kind == "code" else SERVED_ROLES))


def _spread_role(
    role: Role, functions: Sequence[Standing], edges: dict[int, tuple[Edge, ...]], roles: defaultdict[int, set[Role]]
) -> None:
    queue = deque(info.id for info in functions if info.entry == role)
    for each in queue:
        roles[each].add(role)
    while queue:
        caller = queue.popleft()
        for edge in edges.get(caller, ()):
            if role not in roles[edge.callee]:
                if not roles[edge.callee]:
                    functions[edge.callee].caller = caller
                    functions[edge.callee].caller_line = edge.line
                roles[edge.callee].add(role)
                queue.append(edge.callee)


def entry_points(functions: Iterable[Standing]) -> list[Standing]:
    """Functions that something outside the code base calls."""
    return [each for each in functions if each.entry]
