"""What libraries do, as resolution asks for it: lookups in one merged catalogue."""

from __future__ import annotations

import builtins
from functools import lru_cache

from evenkeel.audit.effects.catalogue import AttributeSpec, CallSpec, Catalogue, DecoratorSpec, TypeSpec
from evenkeel.audit.effects.types import UNKNOWN, Type, class_object, first_known, parse_type

BUILTINS = frozenset(dir(builtins))
NO_CALL = CallSpec()
NO_TYPE = TypeSpec()


class Library:
    """Lookups by dotted name. Pure; answers are remembered."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._aliases = dict(catalogue.aliases)
        for name, spec in catalogue.types.items():
            self._aliases.update(dict.fromkeys(spec.aliases, name))
        self._by_name: dict[str, list[str]] = {}
        for name, spec in catalogue.types.items():
            for convention in spec.names:
                self._by_name.setdefault(convention, []).append(name)
        self._methods: dict[tuple[str, str], str] = {}
        self._canonical: dict[str, str] = {}
        self._lineages: dict[str, tuple[str, ...]] = {}

    def has_builtin(self, name: str) -> bool:
        """Whether the language itself defines the name."""
        return name in BUILTINS

    def canonical(self, name: str) -> str:
        """The name the catalogue uses for any export path of the same thing."""
        known = self._canonical.get(name)
        if known is None:
            known = self._aliases.get(name)
            if known is None:
                head, dot, last = name.rpartition(".")
                known = f"{self.canonical(head)}.{last}" if dot and head in self._aliases else name
            self._canonical[name] = known
        return known

    def type_spec(self, name: str) -> TypeSpec:
        """What the catalogue says of a type."""
        return self.catalogue.types.get(name, NO_TYPE)

    def lineage(self, name: str) -> tuple[str, ...]:
        """A library type and its bases, nearest first."""
        known = self._lineages.get(name)
        if known is None:
            self._lineages[name] = (name,)
            bases = [each for base in self.type_spec(name).bases for each in self.lineage(base)]
            known = self._lineages[name] = (name, *dict.fromkeys(bases))
        return known

    def member(self, name: str, attribute: str) -> Type:
        """An attribute of something a library exports but nobody has called: a submodule, class or function."""
        full = self.canonical(f"{name}.{attribute}")
        spec = self.catalogue.attributes.get(full)
        if spec is not None and spec.type:
            return self._expression(spec.type, Type(name), ())
        if name in self.catalogue.types:
            found = self.bound(Type(name), attribute, class_object(Type(name)))
            if found.name.startswith("bound:"):
                return found
        return Type(f"lib:{full}")

    def attribute(self, of: Type, attribute: str) -> AttributeSpec | None:
        """What reading an attribute of an instance does, through the type's bases."""
        for base in self.lineage(of.name):
            spec = self.catalogue.attributes.get(f"{base}.{attribute}")
            if spec is not None:
                return spec
        return None

    def bound(self, base: Type, attribute: str, receiver: Type) -> Type:
        """A method or attribute of an instance of a library type, or of a project class that derives from one."""
        spec = self.attribute(base, attribute)
        if spec is not None and spec.type:
            return self._expression(spec.type, receiver, base.args)
        method = self._method(base.name, attribute)
        if method:
            return Type(f"bound:{method}", (receiver, base))
        wildcard = self._method(base.name, "*")
        return Type(f"bound:{wildcard}", (receiver, base)) if wildcard and not attribute.startswith("__") else UNKNOWN

    def _method(self, type_name: str, method: str) -> str:
        key = (type_name, method)
        known = self._methods.get(key)
        if known is None:
            known = ""
            for base in self.lineage(type_name):
                if f"{base}.{method}" in self.catalogue.calls:
                    known = f"{base}.{method}"
                    break
            self._methods[key] = known
        return known

    def call(self, name: str) -> CallSpec:
        """What calling a library name does."""
        return self.catalogue.calls.get(name, NO_CALL)

    def decorator(self, name: str) -> DecoratorSpec | None:
        """What a decorator makes of a function."""
        return self.catalogue.decorators.get(name)

    def conventional(self, name: str, method: str, imported: set[str], *, awaited: bool) -> str:
        """The library type a bare name stands for: it must have the method, and the project must use the library."""
        fitting = [
            each
            for each in self._by_name.get(name, ())
            if self._method(each, method) and each.partition(".")[0] in imported
        ]
        if len(fitting) > 1:
            fitting = [each for each in fitting if self.type_spec(each).is_async == awaited] or fitting
        return self._method(fitting[0], method).rpartition(".")[0] if fitting else ""

    def result(self, kind: str, name: str, bound_to: tuple[Type, ...], arguments: tuple[Type, ...]) -> Type:
        """The type of the result of calling a library name."""
        receiver = bound_to[0] if bound_to else UNKNOWN
        base_args = bound_to[1].args if len(bound_to) > 1 else receiver.args
        spec = self.call(name)
        if spec.returns:
            return self._expression(spec.returns, receiver, base_args, arguments)
        if kind == "lib":
            if name in self.catalogue.types:
                return Type(name)
            if name.rpartition(".")[2][:1].isupper():
                return Type(name)  # by the language's convention a class: its instance
        return UNKNOWN

    def iterated(self, holder: Type) -> Type:
        """The element type of a library type."""
        for base in self.lineage(holder.name):
            spec = self.type_spec(base)
            if spec.iterates:
                return self._expression(spec.iterates, holder, holder.args)
        return UNKNOWN

    def entered(self, manager: Type, lineage: tuple[Type, ...]) -> Type:
        """What `with manager as x` binds, for library types and project classes that derive from them."""
        for ancestor in lineage:
            for base in self.lineage(ancestor.name):
                spec = self.type_spec(base)
                if spec.enter:
                    return self._expression(spec.enter, manager, ancestor.args)
        return manager

    def _expression(
        self, text: str, receiver: Type, base_args: tuple[Type, ...], arguments: tuple[Type, ...] = ()
    ) -> Type:
        head, inner = _parsed(text)
        if head == "|":
            return first_known(tuple(self._expression(each, receiver, base_args, arguments) for each in inner))
        if head.startswith("$"):
            return self._placeholder(head[1:], receiver, base_args, arguments)
        args = tuple(self._expression(each, receiver, base_args, arguments) for each in inner)
        return Type(head, args if any(each.name for each in args) else ())

    @staticmethod
    def _placeholder(name: str, receiver: Type, base_args: tuple[Type, ...], arguments: tuple[Type, ...]) -> Type:
        if name == "self":
            return receiver
        if name == "class":
            return receiver.args[0] if receiver.name == "type" else receiver
        if name in {"T", "U"}:
            index = 0 if name == "T" else 1
            return base_args[index] if index < len(base_args) else UNKNOWN
        if name.isdigit() and int(name) < len(arguments):
            given = arguments[int(name)]
            return given.args[0] if given.name == "type" else given
        return UNKNOWN


@lru_cache(maxsize=8_192)
def _parsed(text: str) -> tuple[str, tuple[str, ...]]:
    return (text, ()) if text.startswith("$") else parse_type(text)
