"""What callers give: an unannotated parameter has the type that every caller who can be understood passes, if they agree.

Done once, before files are linked and in the order of function ids, so that the answer does not depend on which process
asks first. Only parameters that something hangs on are looked at: those whose methods are called, whose relationships
are read, or that a constructor keeps. Callers in tests do not count: they pass stand-ins.
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import NONE, UNKNOWN, Type
from evenkeel.audit.model.facts import Call, Function, Parameter, Value, root_of

MAX_SITES = 40  # a name that is called more often is too common to tell whom it calls
MAX_STEPS = 6  # callers of callers
COUNTED = frozenset({"code", "script", "migration"})
CONSTRUCTOR = "__init__"


class Given:
    """Sees every function once, then asks: one run over a project."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._symbols = resolver.symbols
        self._known: dict[tuple[int, int], Type] = {}
        self._sites = _no_sites(resolver)
        self._telling = _telling_names(resolver)
        self._wanted: list[tuple[int, int]] = []

    def see(self, function_id: int, function: Function, kind: str) -> None:
        """Note whom a function calls, and which of its parameters are worth asking for."""
        if kind not in COUNTED:
            return
        for number, call in enumerate(function.calls):
            sites = self._sites.get(call.callee.rpartition(".")[2]) if call.arguments else None
            if sites is not None and len(sites) <= MAX_SITES:
                sites.append((function_id, number))
        if function.parameters:
            self._wanted.extend((function_id, index) for index in self._asked_for(function))

    def _asked_for(self, function: Function) -> Iterator[int]:
        open_ = {each.name: index for index, each in enumerate(function.parameters) if _is_open(function, each, index)}
        if not open_:
            return
        used = {root for root, member in _members_used(function) if member in self._telling}
        if function.name == CONSTRUCTOR:
            used.update(each.value.text for each in function.assignments if each.targets[0].startswith("self."))
        yield from (index for name, index in open_.items() if name in used)

    def learn(self) -> None:
        """Fill in the resolver's `given`."""
        for function_id, index in self._wanted:
            self.infer(function_id, index, 0)
        self._resolver.forget()

    def infer(self, function_id: int, index: int, steps: int) -> Type:
        """The type that callers agree on, remembered; UNKNOWN while it is being asked."""
        key = (function_id, index)
        if key not in self._known:
            self._known[key] = UNKNOWN
            self._known[key] = found = self._agreed(function_id, index, steps)
            if _says_something(found):
                self._resolver.given[key] = found
                self._resolver.forget_names()
        return self._known[key]

    def _agreed(self, function_id: int, index: int, steps: int) -> Type:
        function = self._symbols.function(function_id)
        owner = self._resolver.owner(function_id)
        constructs = function.name == CONSTRUCTOR and owner is not None
        name = owner.name.rpartition(".")[2] if constructs and owner is not None else function.name
        sites = self._sites.get(name, ())
        if len(sites) > MAX_SITES:
            return UNKNOWN
        agreed = UNKNOWN
        for caller, number in sites:
            call = self._symbols.function(caller).calls[number]
            value = _passed(function, call, index, bound=owner is not None)
            if value is None or not self._calls(caller, number, function_id):
                continue
            found = self._type_of(caller, value, call.position, steps)
            if not found.name or found == NONE:
                continue
            if agreed.name and found != agreed:
                return UNKNOWN
            agreed = found
        return agreed

    def _calls(self, caller: int, number: int, function_id: int) -> bool:
        callee = self._resolver.call(caller, number)[0]
        if callee.name == "type" and callee.args:
            callee = self._resolver.member(callee.args[0], CONSTRUCTOR)
        return callee.name == f"def:{function_id}"

    def _type_of(self, caller: int, value: Value, position: int, steps: int) -> Type:
        """What the caller passes; where that hangs on a parameter of its own, what its callers pass for it."""
        root = root_of(value.text)
        bindings = self._resolver.scope(caller).get(root, ()) if value.kind == "name" else ()
        if len(bindings) == 1 and isinstance(bindings[0].payload, Parameter):
            function, index = self._symbols.function(caller), bindings[0].item
            if steps < MAX_STEPS and _is_open(function, bindings[0].payload, index):
                self.infer(caller, index, steps + 1)
        return self._resolver.value(caller, value, position)


def _says_something(type_: Type) -> bool:
    return "." in type_.name and ":" not in type_.name


def _is_open(function: Function, parameter: Parameter, index: int) -> bool:
    is_self = index == 0 and function.owner >= 0 and not any(d.chain == "staticmethod" for d in function.decorators)
    return not parameter.annotation and parameter.kind in {"positional", "keyword"} and not is_self


def _members_used(function: Function) -> Iterator[tuple[str, str]]:
    """(name, attribute of it that is read or called)."""
    for text in (*(each.callee for each in function.calls), *(each.chain for each in function.reads)):
        root, dot, rest = text.partition(".")
        if dot:
            yield root.partition("[")[0], root_of(rest)


def _no_sites(resolver: Resolver) -> dict[str, list[tuple[int, int]]]:
    """Name of a function or class of the project -> (function id, number) of the calls of that name: none seen yet."""
    sites: dict[str, list[tuple[int, int]]] = {name.rpartition(".")[2]: [] for name in resolver.symbols.classes}
    for symbol in resolver.symbols.classes.values():
        sites.update((name, []) for name in symbol.methods)
    for module in resolver.symbols.modules:
        sites.update((name, []) for name in module.functions)
    return sites


def _telling_names(resolver: Resolver) -> frozenset[str]:
    """Methods with effects, methods of the project and relationships of its entities: names that a type gives meaning."""
    catalogue = resolver.library.catalogue
    library = {name.rpartition(".")[2] for name, spec in catalogue.calls.items() if spec.effects or spec.statement >= 0}
    methods = {name for symbol in resolver.symbols.classes.values() for name in symbol.methods}
    return frozenset(library | methods | {name for _, name in resolver.related})


def _passed(function: Function, call: Call, index: int, *, bound: bool) -> Value | None:
    """The argument for parameter number `index`; None when it is left out or unpacked."""
    name = function.parameters[index].name
    static = any(each.chain == "staticmethod" for each in function.decorators)
    place = index - (1 if bound and not static else 0)
    for position, argument in enumerate(call.arguments):
        if argument.keyword == name or (not argument.keyword and position == place):
            return argument.value
        if argument.keyword == "*":
            return None
    return None
