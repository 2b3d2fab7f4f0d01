"""Functions that run their parameters: wrappers around executors, task spawners and callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from evenkeel.audit.effects.callees import Callees
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import UNKNOWN, parse_type
from evenkeel.audit.model.facts import Argument, Call, Function, Parameter, Value, root_of
from evenkeel.audit.model.flow import loops_around
from evenkeel.audit.model.index import CallMode

MAX_DEPTH = 8
PLAIN_DATA = frozenset({"str", "bytes", "int", "float", "bool", "complex", "dict", "Dict", "None"})
RESOURCES = frozenset({"session", "connection", "cursor", "transaction", "engine"})  # roles of what is used, not run


class Runners:
    """For a project function: which parameters it runs, and whether inline, offloaded or spawned."""

    def __init__(self, resolver: Resolver, callees: Callees) -> None:
        self._resolver = resolver
        self._callees = callees
        self._known: dict[int, dict[str, CallMode]] = {}
        self._applied: dict[int, dict[str, str]] = {}

    def of(self, function_id: int, depth: int = 0) -> dict[str, CallMode]:
        """Parameter name -> mode. `def in_thread(self, f): await loop.run_in_executor(None, f)` gives `{"f": "offload"}`."""
        known = self._known.get(function_id)
        if known is None:
            self._known[function_id] = {}
            known = self._known[function_id] = self._read(function_id, depth) if depth < MAX_DEPTH else {}
        return known

    def applied(self, function_id: int, depth: int = 0) -> dict[str, str]:
        """Parameters that a function runs for each element of another one: `def each(items, f)` gives `{"f": "items"}`."""
        known = self._applied.get(function_id)
        if known is None:
            self._applied[function_id] = {}
            known = self._applied[function_id] = self._read_applied(function_id, depth) if depth < MAX_DEPTH else {}
        return known

    def _read_applied(self, function_id: int, depth: int) -> dict[str, str]:
        function = self._resolver.symbols.function(function_id)
        names = {each.name for each in function.parameters} - {"self", "cls"}
        found: dict[str, str] = {}
        for index, call in enumerate(function.calls) if len(names) > 1 else ():
            if call.callee in names:
                over = _looped_over(function, call, names)
                if over:
                    found.setdefault(call.callee, over)
            elif any(each.value.text in names for each in call.arguments):
                found.update(self._applied_through(function_id, function, index, call, names, depth))
        return found

    def _applied_through(
        self, function_id: int, function: Function, index: int, call: Call, names: set[str], depth: int
    ) -> dict[str, str]:
        """What a function gives on: `pool.map(f, items)`, `each(items, f)`."""
        callee = self._resolver.call(function_id, index)[0]
        kind, _, rest = callee.name.partition(":")
        pairs: list[tuple[Value | None, Value | None]] = []
        if kind in {"lib", "bound"}:
            spec = self._resolver.library.call(rest)
            if spec.applies >= 0:
                argument = self._resolver.library.argument
                pairs.append((argument(call, spec.runs, spec), argument(call, spec.applies, spec)))
        elif kind == "def":
            target = self._resolver.symbols.function(int(rest))
            inner = self.applied(int(rest), depth + 1)
            pairs.extend(
                (passed(target, call, callable_), passed(target, call, over)) for callable_, over in inner.items()
            )
        return {
            given.text: over
            for given, iterable in pairs
            if given is not None and given.text in names and (over := _source(function, iterable, names))
        }

    def _read(self, function_id: int, depth: int) -> dict[str, CallMode]:
        function = self._resolver.symbols.function(function_id)
        names = {each.name for each in function.parameters if self._may_be_run(function_id, each)}
        found: dict[str, CallMode] = {}
        for index, call in enumerate(function.calls) if names else ():
            if call.callee in names:
                found.setdefault(call.callee, "")
            elif any(_named(each.value, function, names) for each in call.arguments):
                for name, mode in self._through(function_id, function, index, names, depth):
                    found.setdefault(name, mode)
        return found

    def _may_be_run(self, function_id: int, parameter: Parameter) -> bool:
        """Whether a parameter may hold something that can be run: no session, text or number can."""
        text = parameter.annotation
        if parameter.name in {"self", "cls"} or (text and is_plain_data(text)):
            return False
        declared = self._resolver.annotations.resolve(function_id, text) if text else UNKNOWN
        return self._resolver.library.type_spec(declared.name).role not in RESOURCES

    def _through(
        self, function_id: int, function: Function, index: int, names: set[str], depth: int
    ) -> Iterator[tuple[str, CallMode]]:
        """What a call does with the parameters that are its arguments."""
        call = function.calls[index]
        callee = self._callees.known(self._resolver.call(function_id, index)[0])
        spec = self._resolver.library.call(callee.library) if callee.library else None
        if spec is not None and 0 <= spec.runs < len(call.arguments):
            yield from self._through_library(function_id, function, call, spec, names, depth)
        for target in callee.targets:
            yield from self._through_project(target, function, call.arguments, names, depth)

    def _through_library(
        self, function_id: int, function: Function, call: Call, spec: CallSpec, names: set[str], depth: int
    ) -> Iterator[tuple[str, CallMode]]:
        """`to_thread(f, x)` runs f, and gives it x: that may be run in turn."""
        mode = _mode(spec)
        run = call.arguments[spec.runs].value
        for name in _named(run, function, names):
            yield name, mode
        given = call.arguments[spec.runs + 1 :]
        if any(_mentions(each.value, names) for each in given):
            described = self._callees.known(self._resolver.value(function_id, run, call.position))
            for target in described.targets:
                for name, inner in self._through_project(target, function, given, names, depth):
                    yield name, mode or inner

    def _through_project(
        self, target: int, function: Function, arguments: tuple[Argument, ...], names: set[str], depth: int
    ) -> Iterator[tuple[str, CallMode]]:
        parameters = [
            p.name for p in self._resolver.symbols.function(target).parameters if p.name not in {"self", "cls"}
        ]
        for position, argument in enumerate(arguments):
            parameter = argument.keyword or (parameters[position] if position < len(parameters) else "")
            for name in _named(argument.value, function, names):
                mode = self.of(target, depth + 1).get(parameter)
                if mode is not None:
                    yield name, mode


@lru_cache(maxsize=4_096)
def is_plain_data(annotation: str) -> bool:
    """Whether an annotation names nothing but built-in values: `str`, `int | None`, `dict[str, Any]`."""
    head, inner = parse_type(annotation)
    if head == "|" or head.rpartition(".")[2] in {"Optional", "Union"}:
        return all(is_plain_data(each) for each in inner)
    return head in PLAIN_DATA


def passed(target: Function, call: Call, parameter: str) -> Value | None:
    """What a call passes for a parameter of a project function, by position or by name."""
    named = next((each.value for each in call.arguments if each.keyword == parameter), None)
    names = [each.name for each in target.parameters if each.name not in {"self", "cls"}]
    if named is not None or parameter not in names:
        return named
    positional = [each.value for each in call.arguments if not each.keyword]
    position = names.index(parameter)
    return positional[position] if position < len(positional) else None


def _looped_over(function: Function, call: Call, names: set[str]) -> str:
    """The parameter whose elements a call is made with, one by one: `for item in items: f(item)`."""
    given = {name for each in call.arguments for name in (each.value.text, *each.value.names)}
    for block in loops_around(function.blocks, call.block, call.position):
        if block.kind != "while" and given.intersection(block.targets):
            return _source(function, block.subject, names)
    return ""


def _source(function: Function, value: Value | None, names: set[str]) -> str:
    """The parameter that a value is made from, through local names: `page.items` where `page = query.paginate(...)`."""
    for _ in range(MAX_DEPTH):
        chains = (value.text, *value.names) if value is not None else ()
        roots = [root_of(each) for each in chains]
        found = next((each for each in roots if each in names), "")
        if found:
            return found
        made = (each.value for each in function.assignments if set(roots).intersection(each.targets))
        value = next(made, None)
    return ""


def _mode(spec: CallSpec) -> CallMode:
    kinds = {each.partition(":")[0] for each in spec.effects}
    return "offload" if "offload" in kinds else "spawn" if "spawn" in kinds else ""


def _mentions(value: Value, names: set[str]) -> bool:
    return value.text in names or any(each in names for each in value.names)


def _named(value: Value, function: Function, names: set[str]) -> tuple[str, ...]:
    """Parameters that an argument hands on, directly or as `partial(f, ...)`."""
    if value.kind == "name" and value.text in names:
        return (value.text,)
    if value.kind == "call" and value.call >= 0:
        inner = function.calls[value.call]
        if inner.callee.rpartition(".")[2] == "partial" and inner.arguments:
            return _named(inner.arguments[0].value, function, names)
        return (inner.callee,) if inner.callee in names else ()
    return ()
