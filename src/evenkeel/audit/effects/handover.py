"""Functions handed over as arguments: what a callee runs, and whether inline, in a pool or in a task of its own."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.callees import REMEMBERED, Callees, Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.latest import answers
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.runners import Runners, passed
from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.index import CallMode


class Handover:
    """Finds the functions that calls run through their arguments."""

    def __init__(self, resolver: Resolver, callees: Callees) -> None:
        self.resolver = resolver
        self.library = resolver.library
        self.symbols = resolver.symbols
        self.runners = Runners(resolver, callees)
        self.callees = callees
        self._spawning: dict[Type, bool] = answers(REMEMBERED, held=self.symbols.held)

    def place(
        self, function_id: int, function: Function, call: Call, spec: CallSpec | None, described: Described
    ) -> None:
        """Functions handed over as arguments: what the callee runs, and how."""
        if spec is not None and spec.runs >= 0:
            described.mode = _mode(spec)
            described.applied = spec.applies
            argument = self.library.argument(call, spec.runs, spec)
            if argument is not None:
                self._hand_over(function_id, function, argument, call, described)
            return
        for target in tuple(described.targets):
            for parameter, mode in self.runners.of(target).items():
                argument = passed(self.symbols.function(target), call, parameter)
                if argument is not None:
                    self._hand_over(function_id, function, argument, call, described)
                    described.mode = mode
                    described.applied = self._applied(target, call, parameter)

    def _applied(self, target: int, call: Call, parameter: str) -> int:
        """The argument over whose elements a project function runs the callable that it is given as `parameter`."""
        over = self.runners.applied(target).get(parameter, "")
        value = passed(self.symbols.function(target), call, over) if over else None
        return next((number for number, each in enumerate(call.arguments) if each.value is value), -1)

    def _hand_over(self, function_id: int, function: Function, value: Value, call: Call, described: Described) -> None:
        described.runs.extend(self.functions_in(function_id, function, value, call.position))
        handed = self._callee_of(function_id, function, value, call.position)
        if handed is not None and handed.library and not handed.targets:
            described.handed.append(handed.library)

    def functions_in(self, function_id: int, function: Function, value: Value, position: int) -> Iterator[int]:
        """Project functions that an argument stands for: a name, a lambda, `partial(f, ...)`."""
        described = self._callee_of(function_id, function, value, position)
        yield from described.targets if described is not None else ()

    def _callee_of(self, function_id: int, function: Function, value: Value, position: int) -> Described | None:
        """What an argument calls when it is run; None for what another call makes, unless that is `partial(f, ...)`."""
        if value.kind == "call" and value.call >= 0:
            inner = function.calls[value.call]
            if inner.callee.rpartition(".")[2] == "partial" and inner.arguments:
                return self._callee_of(function_id, function, inner.arguments[0].value, position)
            return None
        return self.callees.known(self.resolver.value(function_id, value, position))

    def inside_spawn(self, function_id: int, function: Function, call: Call, described: Described) -> None:
        """`create_task(f(x))`: the inner call makes a coroutine, what it does happens in another task."""
        if described.targets and self.is_spawned(function_id, function, call):
            described.runs, described.targets = [*described.runs, *described.targets], []
            described.mode = "spawn"

    def is_spawned(self, function_id: int, function: Function, call: Call) -> bool:
        """Whether what a call gives is handed to one that runs it in a task of its own."""
        if call.parent < 0 or call.awaited or not self._spawns(self.resolver.call(function_id, call.parent)[0]):
            return False
        arguments = function.calls[call.parent].arguments
        return any(each.value.call >= 0 and function.calls[each.value.call] is call for each in arguments)

    def _spawns(self, callee: Type) -> bool:
        known = self._spawning.get(callee)
        if known is None:
            described = self.callees.known(callee)
            spec = self.library.call(described.library) if described.library else None
            mode: str = _mode(spec) if spec is not None and spec.runs >= 0 else ""
            for target in described.targets:
                mode = mode or next(iter(self.runners.of(target).values()), "")
            known = self._spawning[callee] = mode == "spawn"
        return known


def _mode(spec: CallSpec) -> CallMode:
    kinds = {each.partition(":")[0] for each in spec.effects}
    if "offload" in kinds:
        return "offload"
    if "spawn" in kinds or "enqueue" in kinds:
        return "spawn"
    return "gather" if "gather" in kinds else ""
