"""Methods that a call through a base class or a protocol may reach instead."""

from __future__ import annotations

from evenkeel.audit.effects.callees import may_give_awaitable
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import Type, parse_type

MAX_IMPLEMENTERS = 8  # a protocol that more classes fit by shape says nothing about a call


def overrides(resolver: Resolver) -> dict[int, tuple[int, ...]]:
    """Method -> methods of subclasses that replace it, or of classes that have the shape of its protocol."""
    found: dict[int, list[int]] = {}
    for symbol in resolver.symbols.classes.values():
        for base in resolver.lineage(Type(symbol.name))[1:]:
            parent = resolver.symbols.classes.get(base.name)
            if parent is not None:
                _replace(parent, symbol, found)
    for protocol in resolver.symbols.classes.values():
        if _is_protocol(protocol):
            fitting = _implementers(resolver, protocol)
            for symbol in fitting if len(fitting) <= MAX_IMPLEMENTERS else ():
                _replace(protocol, symbol, found)
    return {method: tuple(dict.fromkeys(each)) for method, each in found.items()}


def _replace(parent: ClassSymbol, symbol: ClassSymbol, found: dict[int, list[int]]) -> None:
    for name, method in symbol.methods.items():
        if name in parent.methods and not name.startswith("__"):
            found.setdefault(parent.methods[name], []).append(method)


def _is_protocol(symbol: ClassSymbol) -> bool:
    bases = symbol.bases
    return any(parse_type(each)[0].rpartition(".")[2] == "Protocol" for each in bases)


def _implementers(resolver: Resolver, protocol: ClassSymbol) -> list[ClassSymbol]:
    """Classes with every method of the protocol, each taking as many parameters."""
    wanted = {name: _arity(resolver, method) for name, method in protocol.methods.items() if not name.startswith("__")}
    if not wanted:
        return []
    return [
        each
        for each in resolver.symbols.classes.values()
        if each is not protocol
        and wanted.keys() <= each.methods.keys()
        and all(_arity(resolver, each.methods[name]) == arity for name, arity in wanted.items())
        and all(_awaits_alike(resolver, protocol.methods[name], each.methods[name]) for name in wanted)
    ]


def _arity(resolver: Resolver, function_id: int) -> int:
    return len(resolver.symbols.function(function_id).parameters)


def _awaits_alike(resolver: Resolver, declared: int, method: int) -> bool:
    """Whether a method can stand for one that the protocol declares as async: it is async too, or may give an awaitable."""
    function = resolver.symbols.function(method)
    return not resolver.symbols.function(declared).is_async or function.is_async or may_give_awaitable(function.returns)
