"""Lambdas that a call runs for each element: `map(lambda order: order.total(), orders)`, `paginate(orders, lambda o: ...)`.

Their parameter has the type of the elements. Learned once, before files are linked.
"""

from __future__ import annotations

from evenkeel.audit.effects.callees import Callees
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.runners import Runners, passed
from evenkeel.audit.model.facts import Call, Function, Value


class Applied:
    """Sees every function once, then tells the resolver what the lambdas in them are given."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._runners = Runners(resolver, Callees(resolver, {}, {}))
        self._seen: list[tuple[int, int]] = []  # function id, number of a call that is given a lambda

    def see(self, function_id: int, function: Function) -> None:
        """Note the calls of a function that are given a lambda and something else."""
        for number, call in enumerate(function.calls):
            if len(call.arguments) > 1 and any(each.value.kind == "lambda" for each in call.arguments):
                self._seen.append((function_id, number))

    def learn(self) -> None:
        """Fill in the resolver's `given`."""
        for function_id, number in self._seen:
            call = self._resolver.symbols.function(function_id).calls[number]
            for given, over in self._pairs(function_id, number, call):
                self._tell(function_id, call, given, over)
        if self._seen:
            self._resolver.forget()

    def _pairs(self, function_id: int, number: int, call: Call) -> list[tuple[Value | None, Value | None]]:
        """(callable, what it is run over) of a call."""
        library = self._resolver.library
        kind, _, rest = self._resolver.call(function_id, number)[0].name.partition(":")
        if kind in {"lib", "bound"}:
            spec = library.call(rest)
            found = (library.argument(call, spec.runs, spec), library.argument(call, spec.applies, spec))
            return [found] if spec.applies >= 0 else []
        if kind != "def":
            return []
        target = self._resolver.symbols.function(int(rest))
        applied = self._runners.applied(int(rest)).items()
        return [(passed(target, call, callable_), passed(target, call, over)) for callable_, over in applied]

    def _tell(self, function_id: int, call: Call, given: Value | None, over: Value | None) -> None:
        if given is None or over is None or given.kind != "lambda" or given.function < 0:
            return
        element = self._resolver.iterated(self._resolver.value(function_id, over, call.position))
        if element.name and ":" not in element.name:
            place = self._resolver.symbols.places[function_id]
            self._resolver.given[self._resolver.symbols.first_id[place.file] + given.function, 0] = element
            self._resolver.forget_names()
