"""Caches inside decorators of the project: a dict in the decorator's own scope, filled by the function it puts in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.facts import Assignment
from evenkeel.audit.model.growth import REMOVING
from evenkeel.audit.model.mentions import mentioning
from evenkeel.audit.model.places import at_assignment
from evenkeel.audit.model.view import INNER, CallView, FunctionView, ModuleView

EMPTY = frozenset({"{}", "dict()"})
MOST_FILES = 24  # that are looked through for a use of the decorator


class Memo(NamedTuple):
    """A decorator whose `store` keeps a result for each call with other arguments."""

    decorator: FunctionView
    place: CallView
    store: str
    line: int  # where the store is bound
    used_on: FunctionView


def endless_memos(module: ModuleView) -> Iterator[Memo]:
    """Decorators that remember every call of a function which requests or jobs reach, and forget none."""
    outer = module.outer_names
    for function in module.functions if outer else ():
        for store in _stores(function) if function.name in outer and _is_decorator(function) else ():
            inner = [each for each in module.functions if _is_inside(each, function)]
            fill = next(((view, each) for view in inner for each in _fills(view, store.targets[0])), None)
            if fill is None or any(_shrinks(each, store.targets[0]) for each in (function, *inner)):
                continue
            used = _used_on(module, function)
            if used is not None:
                yield Memo(function, at_assignment(*fill), store.targets[0], store.line, used)


def _is_decorator(function: FunctionView) -> bool:
    """Whether it is given a function and gives back one of its own that calls it."""
    if not function.fact.parameters or function.fact.owner >= 0 or function.fact.parent > 0:
        return False
    wrapped = function.fact.parameters[0].name
    inner = [each for each in function.module.functions if _is_inside(each, function)]
    calls = any(call.callee == wrapped for each in inner for call in each.fact.calls)
    names = {each.fact.name for each in inner}
    return calls and any(each.kind == "return" and each.value.text in names for each in function.fact.exits)


def _is_inside(inner: FunctionView, outer: FunctionView) -> bool:
    return inner.name.startswith(f"{outer.name}{INNER}")


def _stores(function: FunctionView) -> Iterator[Assignment]:
    for each in function.fact.assignments:
        if (
            each.operator == "="
            and each.value.text in EMPTY
            and len(each.targets) == 1
            and each.targets[0].isidentifier()
        ):
            yield each


def _fills(view: FunctionView, store: str) -> Iterator[Assignment]:
    """`store[key] = fn(...)` with a key that is made from what the function is given."""
    given = {each.name for each in view.fact.parameters}
    made = {
        t for each in view.fact.assignments for t in each.targets if given.intersection(map(_root, each.value.names))
    }
    for each in view.fact.assignments:
        if f"{store}[]" in each.targets and (given | made).intersection(map(_root, each.keys)):
            yield each


def _root(chain: str) -> str:
    return chain.partition(".")[0].removesuffix("[]")


def _shrinks(view: FunctionView, store: str) -> bool:
    fact = view.fact
    removed = any(each.operator == "del" and f"{store}[]" in each.targets for each in fact.assignments)
    called = any(
        each.callee.rpartition(".")[0] == store and each.callee.rpartition(".")[2] in REMOVING for each in fact.calls
    )
    handed = any(v.value.kind == "name" and v.value.text == store for c in fact.calls for v in c.arguments)
    kept = any(
        each.value.text == store and "." in each.targets[0] for each in fact.assignments
    )  # `wrapper.cache = store`
    return removed or called or handed or kept


def _used_on(module: ModuleView, decorator: FunctionView) -> FunctionView | None:
    """A function under the decorator that requests or jobs run."""
    name = decorator.fact.name
    for view in _modules(module, name):
        for each in view.functions:
            own = any(d.chain.rpartition(".")[2] == name for d in each.fact.decorators)
            told_apart = any(given.name not in {"self", "cls"} for given in each.fact.parameters)
            if own and told_apart and (each.info.hot or each.role):
                return each
    return None


def _modules(module: ModuleView, name: str) -> Iterator[ModuleView]:
    yield module
    paths = [module.index.files[number][0] for number in mentioning(module.index, name)]
    for path in [each for each in paths if each != module.path][:MOST_FILES]:
        other = module.neighbour(path)
        if other is not None:
            yield other
