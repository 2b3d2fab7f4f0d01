"""Caches on objects: attributes that start empty, are filled from the database by a method, and live as long as the object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Assignment
from evenkeel.audit.model.index import FunctionInfo
from evenkeel.audit.model.once import MEMBER, MISSING, PRESENT, first_time_regions, is_inside
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

EMPTY = frozenset({"None", "{}", "[]", "dict()", "list()", "set()", "OrderedDict()", "defaultdict(list)"})
JOINS = re.compile(r"\b(join|outerjoin|group_by|aggregate|annotate|joinedload|selectinload)\(|\bJOIN\b|\bGROUP BY\b")
AGGREGATES = re.compile(r"\bfunc\.(count|sum|avg)|\b(COUNT|SUM|AVG)\s*\(")
NEAR = frozenset({"redis", "cache", "memcached"})
OWN = frozenset({"user", "request", "session", "current_user", "tenant", "auth"})


class Cache(NamedTuple):
    """An attribute that caches rows, the call that fills it, and where its object is made for each request."""

    attribute: str
    fill: CallView
    reach: Reach
    made_in: FunctionInfo
    keyed: bool  # by what the method is given: it may serve the one request alone
    heavy: bool  # joins or aggregates


def request_caches(module: ModuleView) -> Iterator[Cache]:
    """Caches of the module's classes whose objects are made anew for each request."""
    for initialiser in module.functions:
        if not initialiser.name.endswith(".__init__"):
            continue
        maker = _request_maker(initialiser)
        if maker is None or initialiser.fact.owner < 0:
            continue
        for attribute in _empty_attributes(initialiser):
            yield from _fills(module, initialiser, attribute, maker)


def _empty_attributes(initialiser: FunctionView) -> list[str]:
    return [
        target
        for each in initialiser.fact.assignments
        for target in each.targets
        if target.startswith("self.") and each.value.text in EMPTY
    ]


def _request_maker(initialiser: FunctionView) -> FunctionInfo | None:
    """The function that makes an object of the class for each request; None when it lives longer, or nobody knows."""
    info = initialiser.info
    if not set(info.roles) & {"handler", "websocket", "dependency"} or set(info.roles) & {"startup"} or info.caller < 0:
        return None
    maker = initialiser.module.index.functions[info.caller]
    view = initialiser.module.function(maker)
    if view is None or view.linked.cached or view.fact.name in {"<module>", "__init__", "__new__", "lifespan"}:
        return None
    once = first_time_regions(view.fact)
    made = [each for each in view.calls if info in each.targets]
    if any(is_inside(each.fact.position, once) or _is_kept(view, each) for each in made):
        return None
    return maker


def _is_kept(view: FunctionView, call: CallView) -> bool:
    """Whether the object is put where it outlives the call: `app.state.x = X()`, a global, an attribute."""
    return any(
        each.value.call == call.index and any("." in target or target in view.fact.globals for target in each.targets)
        for each in view.fact.assignments
    )


def _fills(module: ModuleView, initialiser: FunctionView, attribute: str, maker: FunctionInfo) -> Iterator[Cache]:
    for method in module.functions:
        if method.fact.owner != initialiser.fact.owner or method is initialiser:
            continue
        for each in method.fact.assignments:
            if not any(target in {attribute, f"{attribute}[]"} for target in each.targets):
                continue
            found = _source(method, each)
            if found is not None and _is_guarded(method, attribute) and not _is_shared(method):
                keyed = any(target.endswith("[]") for target in each.targets) or _depends_on_arguments(method, found[0])
                yield Cache(attribute, found[0], found[1], maker, keyed, _is_heavy(found[0]))
                return


def _is_shared(method: FunctionView) -> bool:
    """Whether the method asks a cache that outlives the request before it loads: the attribute is a second tier."""
    return any(
        each.effect.kind == "cache-read" or each.effect.detail in NEAR
        for call in method.calls_reaching("network", "cache-read")
        for each in call.reaches("network", "cache-read")
    )


def _source(method: FunctionView, assignment: Assignment) -> tuple[CallView, Reach] | None:
    """The call whose rows the assigned value is made of: itself, its receivers, or the name that a call gave."""
    names = {each.partition(".")[0] for each in assignment.value.names}
    earlier = [
        each
        for each in method.calls_reaching("db-read")
        if each.fact.position <= assignment.position and each.link.implicit in {"", "iterate"}
    ]
    for call in reversed(earlier):
        reach = next(iter(call.reaches("db-read")), None)
        if reach is None or any(each.effect.detail not in NEAR for each in call.reaches("network", "subprocess")):
            continue  # what comes from outside is not made of the rows that are read on the way
        bound = {t for a in method.fact.assignments if a.position >= call.fact.position for t in a.targets}
        if call.line >= assignment.line or names & bound or assignment.value.call >= 0:
            return call, reach
    return None


def _is_guarded(method: FunctionView, attribute: str) -> bool:
    """Whether the method looks whether the attribute is filled: only then it is a cache and not a plain attribute."""
    short = attribute.rpartition(".")[2]
    return any(
        block.kind in {"if", "else"} and block.subject is not None and _asks_whether_filled(block.subject.text, short)
        for block in method.fact.blocks
    ) or any(each.value.text.startswith(f"{attribute}.get(") for each in method.fact.assignments)


def _asks_whether_filled(text: str, short: str) -> bool:
    """`if self.x is None`, `if not self.x`, `if key in self.x`; not a comparison of what it holds with something else."""
    return any(
        short in part and any(each.match(part.strip("() ")) for each in (MISSING, PRESENT, MEMBER))
        for part in text.split(" or ")
    )


def _depends_on_arguments(method: FunctionView, call: CallView) -> bool:
    names = {each.name for each in method.fact.parameters} - {"self", "cls"}
    given = (name for each in call.fact.arguments for name in (*each.value.names, each.value.text))
    text = " ".join((*call.query, *given))
    own = any(re.search(rf"\bself\.\w*{each}", text) for each in OWN - {"session"})
    return own or any(re.search(rf"(?<![\w.]){re.escape(each)}\b", text) for each in names)


def _is_heavy(call: CallView) -> bool:
    text = " ".join(call.query)
    return JOINS.search(text) is not None or AGGREGATES.search(text) is not None or call.has("db-count")
