"""Queries: the SQL text or the builder steps of what a call executes."""

from __future__ import annotations

from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.model.facts import Call, Function, Value

MAX_STEPS = 24


class Queries:
    """Follows statements through variables, constants and fluent chains, for one resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.library = resolver.library
        self.symbols = resolver.symbols

    def query_steps(self, function_id: int, function: Function, index: int, spec: CallSpec) -> tuple[str, ...]:
        """The steps that made the query this call executes, first step first; SQL text as one step."""
        call = function.calls[index]
        touches = spec.statement >= 0 or any(text.startswith("db-") for text in spec.effects)
        if not touches:
            return ()
        if spec.statement >= 0:
            argument = self.library.argument(call, spec.statement, spec)
            if argument is None:
                return ()
            text = self.sql_text(function_id, argument, call.position)
            return (text,) if text else tuple(self._steps_of(function_id, function, argument, call.position, 0))
        return (*self._chain_steps(function_id, function, call, 0), _step(call))

    def steps_of(self, function_id: int, function: Function, value: Value, position: int) -> list[str]:
        """The steps that made a statement object."""
        return self._steps_of(function_id, function, value, position, 0)

    def _steps_of(self, function_id: int, function: Function, value: Value, position: int, depth: int) -> list[str]:
        if depth > 6:
            return []
        if value.kind == "call" and value.call >= 0:
            call = function.calls[value.call]
            return [*self._chain_steps(function_id, function, call, depth), _step(call)]
        if value.kind == "name" and "." not in value.text:
            return self._steps_of_name(function_id, function, value.text, position, depth)
        return []

    def _steps_of_name(self, function_id: int, function: Function, name: str, position: int, depth: int) -> list[str]:
        bindings = [
            b for b in self.resolver.scope(function_id).get(name, ()) if b.kind == "assign" and b.position < position
        ]
        steps: list[str] = []
        for binding in bindings[-4:]:  # `query = query.where(...)` refines what came before
            own = self._steps_of(function_id, function, binding.payload.value, binding.position, depth + 1)  # type: ignore[union-attr]
            steps.extend(each for each in own if each not in steps)
        return steps

    def _chain_steps(self, function_id: int, function: Function, call: Call, depth: int) -> list[str]:
        steps: list[str] = []
        while call.receiver >= 0 and len(steps) < MAX_STEPS:
            call = function.calls[call.receiver]
            steps.append(_step(call))
        steps.reverse()
        root = call.callee.partition(".")[0]
        if depth < 6 and "." in call.callee and not root.startswith("<") and root in self.resolver.scope(function_id):
            steps = [*self._steps_of_name(function_id, function, root, call.position, depth + 1), *steps]
        return steps

    def sql_text(self, function_id: int, value: Value, position: int, depth: int = 0) -> str:
        """SQL text that an argument is, directly, through a variable or a constant, or wrapped in `text(...)`."""
        if value.kind == "string":
            return value.text.lstrip("rbfuRBFU").strip("\"'")
        if depth > 3:
            return ""
        if value.kind == "call" and value.call >= 0:
            if self.symbols.function(function_id).calls[value.call].callee == "<str>.format":
                return value.text.partition(".format(")[0].lstrip("rbfuRBFU").strip("\"'")
            return self._built_sql(function_id, value.call, depth)
        if value.kind == "name":
            return self._sql_of_name(function_id, value.text, position, depth)
        return value.text if value.kind == "other" and value.text[:1] in "fF\"'" else ""

    def _built_sql(self, function_id: int, index: int, depth: int) -> str:
        inner = self.symbols.function(function_id).calls[index]
        spec = self.library.call(self.resolver.call(function_id, index)[0].name.partition(":")[2])
        built = self.library.argument(inner, spec.builds, spec) if spec.builds >= 0 else None
        if built is None and inner.receiver >= 0:
            return self._built_sql(function_id, inner.receiver, depth + 1)  # `text("...").bindparams(...)`
        return self.sql_text(function_id, built, inner.position, depth + 1) if built is not None else ""

    def _sql_of_name(self, function_id: int, name: str, position: int, depth: int) -> str:
        for scope_id in (function_id, self.symbols.first_id[self.symbols.places[function_id].file]):
            bindings = [
                b for b in self.resolver.scope(scope_id).get(name, ()) if b.kind == "assign" and b.position < position
            ]
            for binding in reversed(bindings):
                found = self.sql_text(scope_id, binding.payload.value, position, depth + 1)  # type: ignore[union-attr]
                if found:
                    return found
            position = 1 << 60
        return ""


def _step(call: Call) -> str:
    arguments = ", ".join(
        f"{a.keyword}={a.value.text}" if a.keyword not in {"", "*", "**"} else a.keyword + a.value.text
        for a in call.arguments
    )
    return f"{call.callee.rpartition('.')[2]}({arguments})"
