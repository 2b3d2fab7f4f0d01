"""What libraries do, as resolution asks for it: lookups in one merged catalogue. Pure; answers are remembered."""

from __future__ import annotations

import builtins

from evenkeel.audit.effects import catalogue as catalogues
from evenkeel.audit.effects.catalogue import AttributeSpec, CallSpec, Catalogue, DecoratorSpec, TypeSpec
from evenkeel.audit.effects.expressions import Arguments, Expressions, asks_arguments, keyword
from evenkeel.audit.effects.latest import Bounded
from evenkeel.audit.effects.types import ITERATORS, MAPPINGS, UNKNOWN, Type, class_object
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Value

BUILTINS = frozenset(dir(builtins))
NO_CALL = CallSpec()
NO_TYPE = TypeSpec()
REMEMBERED_RESULTS = 16_384


class Library:
    """Lookups by dotted name."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._expressions = Expressions(catalogue, self.selected)
        self._results: Bounded[tuple[str, tuple[Type, ...]], Type] = Bounded(REMEMBERED_RESULTS)
        self._by_name: dict[str, list[str]] = {}
        for name, spec in catalogue.types.items():
            for convention in spec.names:
                self._by_name.setdefault(convention, []).append(name)
        self._owners = {each.rpartition(".")[0] for each in catalogue.calls} | catalogue.types.keys()
        self.serialising = frozenset({name for name, spec in catalogue.calls.items() if spec.serialises >= 0})
        self._implying = tuple((each, name) for name, spec in catalogue.types.items() for each in spec.implied_by)
        self._methods: dict[tuple[str, str], str] = {}
        self._decorators: dict[str, DecoratorSpec | None] = {}
        self._canonical: dict[str, str] = {}
        self._lineages: dict[str, tuple[str, ...]] = {}
        self._attributes: dict[tuple[str, str], AttributeSpec | None] = {}
        self._plain: dict[str, bool] = {}
        self._registering: dict[str, bool] = {}

    def has_builtin(self, name: str) -> bool:
        """Whether the language itself defines the name."""
        return name in BUILTINS

    def canonical(self, name: str) -> str:
        """The name the catalogue uses for any export path of the same thing."""
        known = self._canonical.get(name)
        if known is None:
            known = self._canonical[name] = catalogues.canonical(self.catalogue, name)
        return known

    def knows(self, name: str) -> bool:
        """Whether the catalogue says anything of a type: its methods, or the type itself."""
        return name in self._owners

    def type_spec(self, name: str) -> TypeSpec:
        """What the catalogue says of a type."""
        return self.catalogue.types.get(name, NO_TYPE)

    def lineage(self, name: str) -> tuple[str, ...]:
        """A library type and its bases, nearest first."""
        known = self._lineages.get(name)
        if known is None:
            known = self._lineages[name] = catalogues.lineage(self.catalogue, name)
        return known

    def member(self, name: str, attribute: str) -> Type:
        """An attribute of something a library exports but nobody has called: a submodule, class or function."""
        full = self.canonical(f"{name}.{attribute}")
        spec = self.catalogue.attributes.get(full)
        if spec is not None and spec.type:
            return self._expressions.evaluate(spec.type, Type(name), ())
        if name in self.catalogue.types:
            found = self.bound(Type(name), attribute, class_object(Type(name)))
            if found.name:
                return found
        return Type(f"lib:{full}")

    def attribute(self, of: Type, attribute: str) -> AttributeSpec | None:
        """What reading an attribute of an instance does, through the type's bases."""
        key = (of.name, attribute)
        if key not in self._attributes:
            self._attributes[key] = catalogues.find_attribute(self.catalogue, of.name, attribute)
        return self._attributes[key]

    def bound(self, base: Type, attribute: str, receiver: Type) -> Type:
        """A method or attribute of an instance of a library type, or of a project class that derives from one."""
        spec = self.attribute(base, attribute)
        if spec is not None and spec.type:
            return self._expressions.evaluate(spec.type, receiver, base.args)
        method = self._method(base.name, attribute)
        return Type(f"bound:{method}", (receiver, base)) if method else UNKNOWN

    def _method(self, type_name: str, method: str) -> str:
        """The key under which the catalogue has a method of a type: its own, an inherited one, or a wildcard."""
        key = (type_name, method)
        known = self._methods.get(key)
        if known is None:
            lineage = self.lineage(type_name)
            keys = [f"{base}.{method}" for base in lineage]
            if not method.startswith("_"):
                keys += [f"{base}.*" for base in lineage]
            tables = (self.catalogue.calls, self.catalogue.decorators)
            known = self._methods[key] = next((k for k in keys if k in tables[0] or k in tables[1]), "")
        return known

    def call(self, name: str) -> CallSpec:
        """What calling a library name does."""
        return self.catalogue.calls.get(name, NO_CALL)

    def is_plain(self, name: str) -> bool:
        """Whether a call of a library name does nothing that hangs on its arguments, and has no effect either."""
        known = self._plain.get(name)
        if known is None:
            known = self._plain[name] = _is_plain(self.call(name))
        return known

    def registers(self, name: str) -> bool:
        """Whether a call of a library name, or a decorator called as a function, makes an argument an entry point."""
        known = self._registering.get(name)
        if known is None:
            spec, decorator = self.call(name), self.decorator(name)
            known = self._registering[name] = (spec.registers >= 0 and spec.entry is not None) or (
                decorator is not None and decorator.entry is not None
            )
        return known

    def decorator(self, name: str) -> DecoratorSpec | None:
        """What a decorator makes of a function."""
        if name not in self._decorators:
            owner, _, method = name.rpartition(".")
            exact = self.catalogue.decorators.get(name)
            inherited = catalogues.find_decorator(self.catalogue, owner, method) if owner and exact is None else None
            self._decorators[name] = exact or inherited
        return self._decorators[name]

    def conventional(self, name: str, method: str, imported: set[str], *, awaited: bool) -> str:
        """The library type a bare name stands for: it must have the method, and the project must use the library."""
        fitting = [
            each
            for each in self._by_name.get(name, ())
            if imported.intersection(self.type_spec(each).imports) and self._has_method(each, method)
        ]
        if len(fitting) > 1:
            fitting = [each for each in fitting if self.type_spec(each).is_async == awaited] or fitting
        return fitting[0] if fitting else ""

    def _has_method(self, type_name: str, method: str) -> bool:
        """Whether an object of the type has the method; `Connection.connect` is its class's, which makes one."""
        spec = self.call(self._named_method(type_name, method))
        makes_one = spec.returns == type_name and any(each.startswith("connect") for each in spec.effects)
        return bool(self._named_method(type_name, method)) and not makes_one

    def _named_method(self, type_name: str, method: str) -> str:
        found = self._method(type_name, method)
        return "" if found.endswith(".*") else found

    def known_result(self, name: str, bound_to: tuple[Type, ...]) -> Type | None:
        """The type of the result of calling a library name, where it hangs on no argument; None: ask `result`."""
        known = self._results.get((name, bound_to))
        if known is None:
            spec = self.call(name)
            if spec.wraps < 0 and not asks_arguments(spec.returns):
                known = self._results[name, bound_to] = self.result(name, bound_to, None)
        return known

    def result(self, name: str, bound_to: tuple[Type, ...], arguments: Arguments | None) -> Type:
        """The type of the result of calling a library name."""
        receiver = bound_to[0] if bound_to else UNKNOWN
        base_args = bound_to[1].args if len(bound_to) > 1 else receiver.args
        spec = self.call(name)
        if not bound_to and name in self.catalogue.types:
            receiver = class_object(Type(name))  # a class that is called: `$class` is the class itself
        if spec.returns:
            return self._expressions.evaluate(spec.returns, receiver, base_args, arguments)
        if name == "type":
            return UNKNOWN
        if not bound_to and (name in self.catalogue.types or name.rpartition(".")[2][:1].isupper()):
            return Type(name)  # a class, known or by the language's convention: its instance
        return Type(f"{name}()") if f"{name}()" in self.catalogue.types else UNKNOWN

    def iterated(self, holder: Type) -> Type:
        """The element type of a library type."""
        for base in self.lineage(holder.name):
            spec = self.type_spec(base)
            if spec.iterates:
                return self._expressions.evaluate(spec.iterates, holder, holder.args)
        return UNKNOWN

    def entered(self, manager: Type, lineage: tuple[Type, ...]) -> Type:
        """What `with manager as x` binds, for library types and project classes that derive from them."""
        for ancestor in lineage:
            for base in self.lineage(ancestor.name):
                spec = self.type_spec(base)
                if spec.enter:
                    return self._expressions.evaluate(spec.enter, manager, ancestor.args)
        return manager

    def selected(self, query: Type) -> Type:
        """What a query object selects: its first type argument, unknown without one; anything else is itself."""
        if not self.is_query(query):
            return query
        if not query.args:
            return UNKNOWN
        first = query.args[0]  # annotated `Select[tuple[User]]`
        return first.args[0] if first.name.rpartition(".")[2].lower() == "tuple" and first.args else first

    def implied(self, attribute: str, maker: str) -> str:
        """The type that an attribute of a class body, or the library callable that makes it, shows the class to be."""
        return next((of for sign, of in self._implying if sign == attribute or _fits(maker, sign)), "")

    def is_query(self, of: Type) -> bool:
        """Whether a value is a query or statement that has not run."""
        return any(self.type_spec(each).role == "query" for each in self.lineage(of.name))

    def is_entity(self, name: str) -> bool:
        """Whether rows may be of this type: a library's own types are no entities unless it says so."""
        if name.rpartition(".")[2] in ITERATORS | MAPPINGS or self.has_builtin(name):
            return False
        return not self.knows(name) or any(self.type_spec(each).role == "entity" for each in self.lineage(name))

    def argument(self, call: Call, position: int, spec: CallSpec) -> Value | None:
        """Argument number `position`, given by position or by the name the spec has for it."""
        left = position
        for each in call.arguments if position >= 0 else ():
            if not each.keyword:
                if not left:
                    return each.value
                left -= 1
        return keyword(call, spec.parameters[position]) if 0 <= position < len(spec.parameters) else None

    def lazy_effects(self, holder: Type, *, awaited: bool = False) -> tuple[Effect, ...]:
        """What iterating over a value does, when it is a query that has not run yet; `async for` blocks nothing."""
        for base in self.lineage(holder.name):
            spec = self.type_spec(base)
            if spec.iterate_effects:
                entity = holder.args[0].name if holder.args else ""
                return made_effects(spec.iterate_effects, entity, blocking=spec.blocking and not awaited)
        return ()

    def awaited(self, value: Type) -> Type:
        """What `await value` gives: of a query that runs then its rows, of anything else what the call was said to."""
        for base in self.lineage(value.name):
            spec = self.type_spec(base)
            if spec.awaited:
                return self._expressions.evaluate(spec.awaited, value, value.args)
        return value

    def awaited_effects(self, value: Type) -> tuple[Effect, ...]:
        """What `await value` does, when it is a query that has not run yet."""
        for base in self.lineage(value.name):
            spec = self.type_spec(base)
            if spec.await_effects:
                return made_effects(spec.await_effects, value.args[0].name if value.args else "", blocking=False)
        return ()


def _is_plain(spec: CallSpec) -> bool:
    asked = (spec.statement, spec.key, spec.runs, spec.consumes)
    return all(each < 0 for each in asked) and not (spec.effects or spec.named or spec.bounded)


def _fits(name: str, pattern: str) -> bool:
    """`django.db.models.CharField` fits `django.db.models.*Field`."""
    start, star, end = pattern.partition("*")
    return name.startswith(start) and name.endswith(end) if star else name == pattern


def made_effects(texts: tuple[str, ...], entity: str, *, blocking: bool, certain: bool = True) -> tuple[Effect, ...]:
    """`("db-read", "network:http")` as effects; database effects without a detail of their own get the entity."""
    pairs = (each.partition(":") for each in texts)
    return tuple(
        Effect(kind, detail or (entity if kind.startswith("db-") else ""), blocking, certain)  # type: ignore[arg-type]
        for kind, _, detail in pairs
    )
