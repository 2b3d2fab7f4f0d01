"""Reads that a serialiser makes: a schema that is filled from an entity reads an attribute for each of its fields.

`OrderOut.model_validate(order)` and a handler whose response model is `list[OrderOut]` touch `order.lines` when the
schema has a field `lines`; where that is a relationship, it is loaded. The code that pays for it shows nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evenkeel.audit.effects.types import UNKNOWN, Type, element_of
from evenkeel.audit.model.facts import Call, Function, Return, Value
from evenkeel.audit.model.index import Link

if TYPE_CHECKING:
    from evenkeel.audit.effects.link import Linker

RESPONSE_MODEL = "response_model"


def serialised_reads(
    linker: Linker, function_id: int, function: Function, links: Sequence[Link]
) -> Iterator[tuple[Call, Link]]:
    """Reads of relationships that schemas make, as implicit calls at the place where the schema is filled.

    `links`: of the written calls."""
    serialising = linker.library.serialising
    for link in links:
        if link.library in serialising:
            yield from _validated(linker, function_id, link.call, function.calls[link.call])
    schema = _response_schema(linker, function_id, function)
    if schema.name:
        for each in function.exits:
            if each.kind == "return":
                yield from _returned(linker, function_id, each, schema)


def _validated(linker: Linker, function_id: int, index: int, call: Call) -> Iterator[tuple[Call, Link]]:
    """`Schema.model_validate(entity)`."""
    described = linker.callees.known(linker.resolver.call(function_id, index)[0])
    if "." not in call.callee or not call.arguments or described.receiver.name != "type":
        return
    spec = linker.library.call(described.library)
    value = linker.library.argument(call, spec.serialises, spec)
    if value is None:
        return
    entity = linker.resolver.value(function_id, value, call.position)
    for link in _loaded(linker, described.receiver.args[0], entity):
        text = value.text if value.kind == "name" else call.callee
        yield Call(f"<read> {text}.{link.key}", value.call, call.line, call.line, 0, call.position, call.block), link


def _loaded(linker: Linker, schema: Type, entity: Type) -> Iterator[Link]:
    """The relationships of the entity that fields of the schema are named after."""
    for base in linker.resolver.lineage(schema):
        symbol = linker.symbols.classes.get(base.name)
        for name, assignment in linker.symbols.body(symbol).attributes.items() if symbol is not None else ():
            link = _read_of(linker, entity, name) if assignment.annotation else None
            if link is not None:
                yield link


def _read_of(linker: Linker, entity: Type, name: str) -> Link | None:
    """Reading an attribute of an entity: a relationship, or a property that may read one."""
    link = linker.relation_link(entity, name)
    member = linker.resolver.member(entity, name) if link is None and entity.name in linker.entities else UNKNOWN
    if member.name.startswith("def:") and linker.resolver.is_property(int(member.name[4:])):
        result = str(linker.resolver.returned(int(member.name[4:]), (entity,)))
        return Link(0, targets=(int(member.name[4:]),), implicit="read", receiver=str(entity), result=result, key=name)
    return link


def _response_schema(linker: Linker, function_id: int, function: Function) -> Type:
    """The schema of a handler's list response: `response_model=list[OrderOut]`, or the annotation of its result."""
    for decorator in function.decorators:
        spec = linker.library.decorator(linker.resolver.decorator(function_id, decorator.chain))
        if spec is None or spec.entry != "handler":
            continue
        text = next((each.value.text for each in decorator.arguments if each.keyword == RESPONSE_MODEL), "")
        declared = linker.resolver.annotations.resolve(function_id, text or function.returns)
        return element_of(declared)
    return UNKNOWN


def _returned(linker: Linker, function_id: int, exit_: Return, schema: Type) -> Iterator[tuple[Call, Link]]:
    value: Value = exit_.value
    entity = element_of(linker.resolver.value(function_id, value, exit_.position))
    if not entity.name or entity.name == schema.name:
        return
    for link in _loaded(linker, schema, entity):
        text = value.text if value.kind == "name" else "<call>"
        yield (
            Call(f"<serialise> {text}.{link.key}", value.call, exit_.line, exit_.line, 0, exit_.position, exit_.block),
            link,
        )
