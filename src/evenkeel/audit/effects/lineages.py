"""Lineages: classes with their bases, and type variables with what they are bound to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import Type

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

NEUTRAL = ("typing.", "typing_extensions.", "abc.", "enum.", "collections.", "builtins.")  # bases that say nothing


class Lineages:
    """Bases and generics, asked of one resolver; remembered."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lineage: dict[str, tuple[Type, ...]] = {}
        self._types: dict[Type, Type] = {}  # each once: thousands of classes have the same few bases

    def lineage(self, of: Type) -> tuple[Type, ...]:
        """The class and its bases, nearest first, with type arguments carried along."""
        symbol = self._resolver.symbols.classes.get(of.name)
        if symbol is None:
            return (of,)
        known = self._lineage.get(of.name)
        if known is None:
            self._lineage[of.name] = (Type(of.name),)  # a cycle ends here
            self._resolver.cuts += 1  # who asks meanwhile hears half of it
            known = tuple(self._types.setdefault(each, each) for each in self._read_lineage(symbol))
            self._lineage[of.name] = known
        if not of.args:
            return known
        mapping = dict(zip(self.type_parameters(of.name), of.args, strict=False))
        return (of, *(self.substitute(base, mapping) for base in known[1:]))

    def _read_lineage(self, symbol: ClassSymbol) -> tuple[Type, ...]:
        own = Type(symbol.name, tuple(Type(f"var:{each}") for each in self.type_parameters(symbol.name)))
        found = [own]
        function_id = self._resolver.symbols.first_id[symbol.place.file] + symbol.parent
        for text in symbol.bases:
            base = self._resolver.annotations.resolve(function_id, text)
            if base.name and base.name != symbol.name:
                found.extend(each for each in self.lineage(base) if each.name not in {f.name for f in found})
        if any(self._is_strange(each) for each in found):
            found.extend(self._implied(symbol, function_id, found))
        return tuple(found)

    def _is_strange(self, base: Type) -> bool:
        """Whether a base comes from a package that the catalogue knows nothing of."""
        library = self._resolver.library
        return (
            "." in base.name
            and base.name not in self._resolver.symbols.classes
            and not base.name.startswith(NEUTRAL)
            and not library.knows(base.name)
        )

    def _implied(self, symbol: ClassSymbol, function_id: int, bases: list[Type]) -> Iterator[Type]:
        """`class Order(TimeStampedModel)` from a package nobody knows, with fields of an ORM: a model of that ORM."""
        library = self._resolver.library
        if any(library.type_spec(each).role for base in bases for each in library.lineage(base.name)):
            return
        calls = self._resolver.symbols.function(function_id).calls
        for name, attribute in self._resolver.symbols.body(symbol).attributes.items():
            call = calls[attribute.value.call] if 0 <= attribute.value.call < len(calls) else None
            made = self._resolver.chain(function_id, call.callee, call.receiver, call.position).name if call else ""
            implied = library.implied(name, made.removeprefix("lib:"))
            if implied:
                yield Type(implied)
                return

    def type_parameters(self, class_name: str) -> tuple[str, ...]:
        """The names of a class's type variables, in order."""
        symbol = self._resolver.symbols.classes.get(class_name)
        return self._resolver.annotations.type_parameters(symbol) if symbol is not None else ()

    def bindings_of(self, of: Type) -> dict[str, Type]:
        """Type variable -> type, for one entry of a lineage."""
        return dict(zip(self.type_parameters(of.name), of.args, strict=False))

    def substitute(self, type_: Type, mapping: dict[str, Type]) -> Type:
        """Replace type variables."""
        if type_.name.startswith("var:"):
            return mapping.get(type_.name[4:], type_)
        if not type_.args or not mapping:
            return type_
        return Type(type_.name, tuple(self.substitute(each, mapping) for each in type_.args))
