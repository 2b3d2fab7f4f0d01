"""Lazy loads one call down: a method or property of an entity that reads a relationship of `self`, for each element.

`[order.to_dict() for order in orders]` costs a query for each order when `to_dict` reads `self.customer` and the query that
gave the orders does not load it along. Only what the function's own query tells is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.flags import flags_passed, guard_at, settled
from evenkeel.audit.model.lazy_loads import LazyLoad, loading_of, origin_of_name
from evenkeel.audit.model.masks import LAZY_READ
from evenkeel.audit.model.view import CallView, FunctionView


def inner_loads(function: FunctionView) -> Iterator[LazyLoad]:
    """Calls of an element's own methods, in loops, that read a relationship which is not loaded along."""
    looped = frozenset(function.linked.looped)
    for call in function.calls_linked(lambda link: link.call in looped and len(link.targets) == 1) if looped else ():
        element = _element(call) if not call.targets[0].is_async else ""
        if not element:
            continue
        origin = origin_of_name(function, element, call.fact.position)
        for read in _reads(call) if origin is not None else ():
            target = read.link.result.removeprefix("list[").removesuffix("]").rpartition(".")[2]
            if loading_of(read.link.key, origin, target) == "lazy":
                yield LazyLoad(call, read.link.key, origin, "lazy", read)


def _element(call: CallView) -> str:
    """The loop variable whose method a call is: `order` for `order.to_dict()`; "" when it is none."""
    if not call.loops:
        return ""
    written = call.fact.callee.partition("> ")[2] if call.fact.callee.startswith("<") else call.fact.callee
    root, _, rest = written.partition(".")
    bound = any(root in each.targets for each in call.loops)
    return root if bound and rest and "." not in rest else ""


def reads_of_element(call: CallView, element: str) -> Iterator[CallView]:
    """What a method that is called on `element` reads of the element's relationships."""
    written = call.fact.callee.partition("> ")[2] if call.fact.callee.startswith("<") else call.fact.callee
    root, _, rest = written.partition(".")
    if root == element and rest and "." not in rest and len(call.targets) == 1 and not call.targets[0].is_async:
        yield from _reads(call)


def _reads(call: CallView) -> Iterator[CallView]:
    """What the method surely reads of its own relationships, unless a flag that this call leaves down keeps it from it."""
    target = call.targets[0]
    view = call.function.module.function(target)
    for read in view.calls if view is not None and view.fact.owner >= 0 else ():
        text = read.fact.callee.partition("> ")[2]
        if read.library != LAZY_READ or not read.link.certain or not text.startswith("self.") or read.loops:
            continue
        guard = guard_at(read.function.fact, target.parameters, read.fact.block, read.fact.position)
        if not guard or settled(guard, flags_passed(call.fact, target.parameters)) == 1:
            yield read
