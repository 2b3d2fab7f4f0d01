"""Reads that a class-based view makes: its serialiser fills nested fields from relationships of each row of its queryset.

`queryset` and `serializer_class` are attributes of the view, or `get_queryset` returns the rows; the loop stands in the
framework. A nested serialiser, and a field whose `source` goes through a relationship, load it for each row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import UNKNOWN, Type
from evenkeel.audit.model.facts import END, Call, Function, Value
from evenkeel.audit.model.index import Link

if TYPE_CHECKING:
    from evenkeel.audit.effects.link import Linker

VIEW = "rest_framework.generics.GenericAPIView"
SERIALISER = "rest_framework.serializers.Serializer"
ONE = re.compile(r"(^|\.)(Retrieve|Create|Update|Destroy)\w*APIView$")  # gives one row at a time
Read = tuple[Call, Link]


def view_reads(linker: Linker, function_id: int, function: Function) -> Iterator[Read]:
    """The relationships that views of this module, or the view whose `get_queryset` this is, read for each row."""
    if function.name == "get_queryset":
        owner = linker.resolver.owner(function_id)
        schema = _serialiser(linker, owner) if owner is not None else UNKNOWN
        for each in function.exits if schema.name else ():
            if each.kind == "return":
                at = (each.line, each.position, each.block)
                yield from _filled(linker, function_id, each.value, schema, at)
    elif function.qualname == "<module>":
        file = linker.symbols.places[function_id].file
        for symbol in _views(linker, file):
            given = linker.symbols.body(symbol).attributes.get("queryset")
            schema = _serialiser(linker, symbol)
            if given is not None and schema.name and "get_queryset" not in symbol.methods:
                at = (given.line, given.position, given.block)
                yield from _filled(linker, function_id, given.value, schema, at)


def _views(linker: Linker, file: int) -> Iterator[ClassSymbol]:
    """Classes of a file that name a serialiser; most files have none."""
    facts = linker.symbols.facts(file)
    for each in facts.classes:
        if any("serializer_class" in attribute.targets for attribute in each.attributes):
            symbol = linker.symbols.classes.get(f"{facts.module}.{each.qualname}")
            if symbol is not None and _is(linker, symbol.name, VIEW):
                yield symbol


def _serialiser(linker: Linker, view: ClassSymbol) -> Type:
    given = linker.symbols.body(view).attributes.get("serializer_class")
    one = any(ONE.search(base) for base in view.bases)
    if given is None or one or not _is(linker, view.name, VIEW):
        return UNKNOWN
    found = linker.resolver.value(linker.symbols.first_id[view.place.file], given.value, END)
    return found.args[0] if found.name == "type" else UNKNOWN


def _is(linker: Linker, name: str, base: str) -> bool:
    lineage = linker.resolver.lineage(Type(name))
    return any(base in linker.library.lineage(each.name) for each in lineage)


def _filled(linker: Linker, function_id: int, rows: Value, schema: Type, at: tuple[int, int, int]) -> Iterator[Read]:
    line, position, block = at
    entity = linker.resolver.iterated(linker.resolver.value(function_id, rows, position))
    for name in _nested(linker, schema) if entity.name else ():
        link = linker.relation_link(entity, name) or linker.managed_link(entity, name)
        if link is not None and rows.call >= 0:
            yield Call(f"<serialise> <call>.{name}", rows.call, line, line, 0, position, block), link


def _nested(linker: Linker, schema: Type) -> Iterator[str]:
    """Names of the relationships that the fields of a serialiser go through."""
    for base in linker.resolver.lineage(schema):
        symbol = linker.symbols.classes.get(base.name)
        for name, assignment in linker.symbols.body(symbol).attributes.items() if symbol is not None else ():
            value = assignment.value
            if symbol is None or value.kind != "call" or value.call < 0:
                continue
            place = linker.symbols.first_id[symbol.place.file] + max(symbol.parent, 0)
            call = linker.symbols.function(place).calls[value.call]
            source = next((each.value.text.strip("\"'") for each in call.arguments if each.keyword == "source"), "")
            made = linker.resolver.call(place, value.call)[1]
            if _is(linker, made.name, SERIALISER) or "." in source:
                yield source.partition(".")[0] or name
