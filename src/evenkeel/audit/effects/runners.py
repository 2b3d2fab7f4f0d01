"""Functions that run their parameters: wrappers around executors, task spawners and callbacks."""

from __future__ import annotations

from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.index import CallMode

MAX_DEPTH = 4


class Runners:
    """For a project function: which parameters it runs, and whether inline, offloaded or spawned."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[int, dict[str, CallMode]] = {}

    def of(self, function_id: int, depth: int = 0) -> dict[str, CallMode]:
        """Parameter name -> mode. `def in_thread(self, f): await loop.run_in_executor(None, f)` gives `{"f": "offload"}`."""
        known = self._known.get(function_id)
        if known is None:
            self._known[function_id] = {}
            known = self._known[function_id] = self._read(function_id, depth) if depth < MAX_DEPTH else {}
        return known

    def _read(self, function_id: int, depth: int) -> dict[str, CallMode]:
        function = self._resolver.symbols.function(function_id)
        names = {each.name for each in function.parameters} - {"self", "cls"}
        if not names:
            return {}
        found: dict[str, CallMode] = {}
        for index, call in enumerate(function.calls):
            if call.callee in names:
                found.setdefault(call.callee, "")
            elif any(_mentions(each.value, names) for each in call.arguments):
                self._through(function_id, function, index, call, names, found, depth)
        return found

    def _through(
        self,
        function_id: int,
        function: Function,
        index: int,
        call: Call,
        names: set[str],
        found: dict[str, CallMode],
        depth: int,
    ) -> None:
        callee = self._resolver.call(function_id, index)[0]
        kind, _, rest = callee.name.partition(":")
        if kind in {"lib", "bound"}:
            spec = self._resolver.library.call(rest)
            if 0 <= spec.runs < len(call.arguments):
                for name in _named(call.arguments[spec.runs].value, function, names):
                    kinds = {each.partition(":")[0] for each in spec.effects}
                    found[name] = "offload" if "offload" in kinds else "spawn" if "spawn" in kinds else ""
        elif kind == "def":
            self._through_project(int(rest), function, call, names, found, depth)

    def _through_project(
        self, target: int, function: Function, call: Call, names: set[str], found: dict[str, CallMode], depth: int
    ) -> None:
        parameters = [
            p.name for p in self._resolver.symbols.function(target).parameters if p.name not in {"self", "cls"}
        ]
        for position, argument in enumerate(call.arguments):
            parameter = argument.keyword or (parameters[position] if position < len(parameters) else "")
            for name in _named(argument.value, function, names):
                mode = self.of(target, depth + 1).get(parameter)
                if mode is not None:
                    found.setdefault(name, mode)


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
