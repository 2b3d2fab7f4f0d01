"""Lineages: classes with their bases, and type variables with what they are bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import Type

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver


class Lineages:
    """Bases and generics, asked of one resolver; remembered."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lineage: dict[str, tuple[Type, ...]] = {}

    def lineage(self, of: Type) -> tuple[Type, ...]:
        """The class and its bases, nearest first, with type arguments carried along."""
        symbol = self._resolver.symbols.classes.get(of.name)
        if symbol is None:
            return (of,)
        known = self._lineage.get(of.name)
        if known is None:
            self._lineage[of.name] = (Type(of.name),)  # a cycle ends here
            known = self._lineage[of.name] = self._read_lineage(symbol)
        if not of.args:
            return known
        mapping = dict(zip(self.type_parameters(of.name), of.args, strict=False))
        return (of, *(self.substitute(base, mapping) for base in known[1:]))

    def _read_lineage(self, symbol: ClassSymbol) -> tuple[Type, ...]:
        own = Type(symbol.name, tuple(Type(f"var:{each}") for each in self.type_parameters(symbol.name)))
        found = [own]
        function_id = self._resolver.symbols.first_id[symbol.place.file] + max(
            self._resolver.symbols.class_facts(symbol).parent, 0
        )
        for text in self._resolver.symbols.class_facts(symbol).bases:
            base = self._resolver.annotations.resolve(function_id, text)
            if base.name and base.name != symbol.name:
                found.extend(each for each in self.lineage(base) if each.name not in {f.name for f in found})
        return tuple(found)

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
