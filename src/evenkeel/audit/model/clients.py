"""Clients: objects with a connection pool of their own (Redis, MongoDB, HTTP) that a function opens, or gets from a helper.

A client is meant to live as long as the process. One that a call opens for itself has to be closed by that call; what it
is given to (a constructor, a library, another client) closes it instead.
"""

from __future__ import annotations

from evenkeel.audit.model.answers import once_a_number
from evenkeel.audit.model.index import FunctionInfo
from evenkeel.audit.model.masks import CLIENT, OPENS_CLIENT
from evenkeel.audit.model.shapes import RETURNS, YIELDS
from evenkeel.audit.model.view import CallView, FunctionView

DEEPEST = 3  # helpers that hand on what another helper has opened


def opens_client(call: CallView) -> bool:
    """Whether a call gives a client that nobody else holds: it makes one, or the helper that it calls does."""
    return _makes(call, 0) and not _is_given_on(call)


def _makes(call: CallView, depth: int) -> bool:
    if any(each.kind == "connect" and each.detail == CLIENT for each in call.effects):
        return True
    return depth < DEEPEST and any(_hands_out(call, target, depth) for target in call.targets)


def _hands_out(call: CallView, target: FunctionInfo, depth: int) -> bool:
    """Whether a helper returns a client that it opens each time it is called."""
    reaches = (each for each in target.reaches if each.effect.kind == "connect" and each.effect.detail == CLIENT)
    if target.is_property or not any(not each.kept for each in reaches):
        return False
    view = call.function.module.function(target)
    return (
        view is not None
        and not view.linked.cached
        and bool(view.shape & RETURNS)
        and not view.shape & YIELDS
        and _gives_client(view, depth)
    )


@once_a_number
def _gives_client(function: FunctionView, depth: int) -> bool:
    """Whether one of its calls, so deep below the first, opens what it returns."""
    opening = function.calls_marked(OPENS_CLIENT)
    return any(_is_returned(function, each) and _makes(each, depth + 1) for each in opening)


def _is_returned(function: FunctionView, call: CallView) -> bool:
    """`return Redis(...)`, also through one local name that is given to nothing else."""
    returned = [each.value for each in function.fact.exits if each.kind == "return"]
    if any(each.call == call.index and each.kind == "call" for each in returned):
        return True
    names = {
        target
        for each in function.fact.assignments
        if each.value.call == call.index and each.value.kind == "call"
        for target in each.targets
    }
    local = len(names) == 1 and all(each.isidentifier() and each not in function.fact.globals for each in names)
    if not local or any(each.value.kind == "name" and each.value.text in names for each in function.fact.assignments):
        return False
    return any(each.kind == "name" and each.text in names for each in returned)


def _is_given_on(call: CallView) -> bool:
    """Whether what is opened is put into something that may live longer: an argument of a class or of a library."""
    if call.parent is not None:
        return True
    names = {
        target for each in call.function.fact.assignments if each.value.call == call.index for target in each.targets
    }
    return any(
        (each.library or each.name[:1].isupper() or not each.targets)
        and any(given.value.text in names for given in each.fact.arguments)
        for each in call.function.calls
        if not each.has("close", "gather")
    )
