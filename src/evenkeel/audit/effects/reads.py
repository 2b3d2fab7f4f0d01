"""Reads that do something: properties, attributes with effects and lazy relationships on the way of a chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from evenkeel.audit.effects.library import made_effects
from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import Call, Function
from evenkeel.audit.model.index import Entity, Link

if TYPE_CHECKING:
    from evenkeel.audit.effects.link import Linker
    from evenkeel.audit.effects.resolve import Resolver

Implicit = tuple[Call, Link]


class MemberNames(NamedTuple):
    """Names of members that do something when they are read or set: all other chains need not be followed."""

    read: frozenset[str] | None  # None: it may be any
    setters: frozenset[str]


def member_names(resolver: Resolver, entities: dict[str, Entity]) -> MemberNames:
    """Properties and setters of the project's classes, relationships, and attributes that the catalogue gives effects."""
    symbols = resolver.symbols
    methods = (name for symbol in symbols.classes.values() for name in symbol.methods)
    setters = frozenset(name[:-1] for name in methods if name.endswith("="))
    attributes = [name for name, spec in resolver.library.catalogue.attributes.items() if spec.effects]
    if any(name.endswith(".*") for name in attributes):
        return MemberNames(None, setters)
    related = {each.name for entity in entities.values() for each in entity.relations}
    properties = _properties(resolver)
    return MemberNames(properties | related | {name.rpartition(".")[2] for name in attributes}, setters)


def _properties(resolver: Resolver) -> frozenset[str]:
    found: set[str] = set()
    for symbol in resolver.symbols.classes.values():
        found.update([name for name, each in symbol.methods.items() if resolver.is_property(each)])
    return frozenset(found)


def implied_call(text: str, line: int, position: int, block: int, receiver: int = -1) -> Call:
    """A call that the language makes without writing it. `receiver`: the call whose result it is made on, else -1."""
    return Call(text, receiver, line, line, 0, position, block)


def reads(linker: Linker, function_id: int, function: Function) -> list[Implicit]:
    """The reads of a function that do something: of chains, and of what the callees of calls hang on."""
    found: list[Implicit] = []
    for read in function.reads:
        if "." in read.chain and linker.tells(read.chain):
            at = (read.line, read.position, read.block)
            found.extend(_along(linker, function_id, read.chain, read.receiver, at))
    for call in function.calls:
        holder = call.callee.rpartition(".")[0]
        if "." in holder and linker.tells(holder):
            at = (call.line, call.position - 1, call.block)
            found.extend(_along(linker, function_id, holder, call.receiver, at))
    return found


def tells(chain: str, names: frozenset[str] | None) -> bool:
    """Whether one of the attributes of a chain has one of these names."""
    return names is None or not names.isdisjoint([each.partition("[")[0] for each in chain.split(".")[1:]])


def _along(linker: Linker, function_id: int, chain: str, receiver: int, at: tuple[int, int, int]) -> Iterator[Implicit]:
    root, _, rest = chain.partition(".")
    holder = linker.resolver.chain(function_id, root, receiver, at[1])
    for number, link in linker.reads_along(holder, rest) if holder.name else ():
        read = ".".join(chain.split(".")[: number + 1])
        yield implied_call(f"<read> {read}", *at, receiver), link


def reads_along(linker: Linker, holder: Type, chain: str) -> Iterator[tuple[int, Link]]:
    """What reading a chain of attributes of a value does: number of the attribute, from 1, and the link of reading it."""
    segments = chain.split(".")
    for number, segment in enumerate(segments, start=1):
        link = _attribute_link(linker, holder, segment.partition("[")[0])
        if link is not None:
            yield number, link
        holder = linker.resolver.walk(holder, segment)
        if not holder.name:
            return


def _attribute_link(linker: Linker, holder: Type, name: str) -> Link | None:
    if holder.name == "union":
        return _merged([each for of in holder.args if (each := _attribute_link(linker, of, name)) is not None])
    if holder.name == "type" or ":" in holder.name:
        return None
    member = linker.resolver.member(holder, name)
    if member.name.startswith("def:"):
        function_id = int(member.name[4:])
        if not linker.resolver.is_property(function_id):
            return None
        result = str(linker.resolver.returned(function_id, (holder,)))
        return Link(0, targets=(function_id,), implicit="read", receiver=str(holder), result=result)
    for ancestor in linker.resolver.lineage(holder):
        spec = linker.library.attribute(ancestor, name)
        if spec is not None and spec.effects:
            effects = made_effects(spec.effects, "", blocking=spec.blocking)
            return Link(0, library=f"{ancestor.name}.{name}", effects=effects, implicit="read", receiver=str(holder))
    return linker.relation_link(holder, name)


def _merged(links: Sequence[Link]) -> Link | None:
    """What reading an attribute does where the holder may be one of several types: any of it."""
    if not links:
        return None
    targets = dict.fromkeys(target for each in links for target in each.targets)
    effects = dict.fromkeys(effect for each in links for effect in each.effects)
    return msgspec.structs.replace(links[0], targets=tuple(targets), effects=tuple(effects))
