"""Rows that a loop gives a serialiser one by one: what that asks the database hangs on the fields, which are not looked into."""

from __future__ import annotations

from evenkeel.audit.model.fluent import DEEPEST, chain_steps
from evenkeel.audit.model.lazy_loads import LOADERS, origin_of_name
from evenkeel.audit.model.view import CallView

SHOWS = "rest_framework.serializers.Serializer.data"
CHECKS = "rest_framework.serializers.Serializer.is_valid"
LOADED = "whether the query that gives the elements loads along what is read here"
FIELDS = "whether the fields of the serialiser ask the database: relations and what is unique do, plain ones do not"


def open_fields(call: CallView) -> str:
    """The question which queries the fields of a serialiser make; "" where there is none: of rows whose query loads nothing
    along, each relation that is shown is a query."""
    if call.library == CHECKS:
        return FIELDS
    if call.library != SHOWS or call.receiver is None:
        return ""
    given = call.receiver.fact.arguments
    element = given[0].value.text if given and given[0].value.kind == "name" else ""
    return LOADED if element and _loads_along(call, element) else ""


def _loads_along(call: CallView, name: str) -> bool:
    """Whether a query that a name's value comes from, step by step, loads any relation along."""
    position = call.fact.position
    for _ in range(DEEPEST):
        origin = origin_of_name(call.function, name, position)
        if origin is None:
            return False
        if any(LOADERS.search(each) for each in (*origin.query, *chain_steps(origin))):
            return True
        while origin.receiver is not None:
            origin = origin.receiver
        name, position = origin.holder.partition(".")[0], origin.fact.position  # `books.iterator()`
    return False
