"""Callables that a call runs for each element: a loop that stands in `map`, in an executor or in a helper of the project.

`paginate(query, page, lambda row: row.to_dict())` costs a query for each row when `to_dict` makes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.accesses import Access, access
from evenkeel.audit.model.inner_loads import reads_of_element
from evenkeel.audit.model.lazy_loads import LazyLoad, Loading, loading_of, origin_of_value
from evenkeel.audit.model.loop_data import flows_into
from evenkeel.audit.model.loops import size_of
from evenkeel.audit.model.masks import APPLIED, LAZY_READ
from evenkeel.audit.model.view import CallView, FunctionView


class Applied(NamedTuple):
    """A call that runs a callable for each element of `over`, and what that does to the database."""

    call: CallView
    access: Access
    over: str


def applied_accesses(function: FunctionView) -> Iterator[Applied]:
    """Every call of a function that reaches the database once per element through a callable that it is given."""
    for call in _applying(function):
        found = next((each for run in _run(call) for each in _accesses(run)), None)
        if found is not None:
            yield Applied(call, found, _over(call))


def _accesses(run: FunctionView) -> Iterator[Access]:
    """What a callable does to the database with the element that it is given."""
    element = frozenset(run.info.parameters[:1])
    for call in run.calls:
        found = access(call, spawned=True) if flows_into(call, element) else None
        if found is not None:
            yield found


def applied_loads(function: FunctionView) -> Iterator[LazyLoad]:
    """Relationships that a lambda reads of the element it is given, and that the elements' query does not load along."""
    for call in _applying(function):
        argument = call.fact.arguments[call.link.applied].value
        origin = origin_of_value(function, argument, call.fact.position)
        if origin is not None:
            for run in _run(call):
                yield from _loads(call, run, origin)


def _loads(call: CallView, run: FunctionView, origin: CallView) -> Iterator[LazyLoad]:
    for element in run.info.parameters[:1]:
        for read in run.calls:
            for each in (read, *reads_of_element(read, element)):
                if _is_lazy(each, read, element) and _loading(each, origin) == "lazy":
                    yield LazyLoad(call, each.link.key, origin, "lazy", each)


def _applying(function: FunctionView) -> Iterator[CallView]:
    for call in function.calls_marked(APPLIED):
        if call.link.runs:
            over = call.fact.arguments[call.link.applied].value
            if size_of(function, over) == "elements":
                yield call


def _run(call: CallView) -> Iterator[FunctionView]:
    views = (call.function.module.function(each) for each in call.runs)
    return (each for each in views if each is not None)


def _is_lazy(each: CallView, read: CallView, element: str) -> bool:
    """A read of the element's own relationship, in the lambda itself or in a method that it calls on the element."""
    if each is not read:
        return True
    root = each.fact.callee.partition("> ")[2].partition(".")[0]
    return each.library == LAZY_READ and each.link.certain and root == element


def _loading(read: CallView, origin: CallView) -> Loading:
    return loading_of(
        read.link.key, origin, read.link.result.removeprefix("list[").removesuffix("]").rpartition(".")[2]
    )


def _over(call: CallView) -> str:
    text = call.fact.arguments[call.link.applied].value.text
    return text if len(text) <= 60 else f"{text[:57]}..."
