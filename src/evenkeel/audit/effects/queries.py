"""Queries: the SQL text or the builder steps of what a call executes."""

from __future__ import annotations

import re

from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.model.facts import END, Assignment, Call, Function, Value, root_of
from evenkeel.audit.model.sql import keyed_statement

MAX_STEPS = 24
MAX_DEPTH = 3  # names that a statement is followed through
HOLE = re.compile(r"\{[^{}]*\}")
_LITERAL = re.compile(r"[\s(]*[A-Za-z]{0,2}(\"\"\"|\'\'\'|\"|\')")  # prefix and opening quotes


class Queries:
    """Follows statements through variables, constants and fluent chains, for one resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.library = resolver.library
        self.symbols = resolver.symbols

    def query_steps(self, function_id: int, function: Function, index: int, spec: CallSpec) -> tuple[str, ...]:
        """The steps that made the query this call executes, first step first; SQL text as one step."""
        call = function.calls[index]
        if spec.named:
            text = self.resolver.statements.get(call.callee.rpartition(".")[2], "")
            return (text,) if text else ()
        touches = spec.statement >= 0 or any(text.startswith("db-") for text in spec.effects)
        if not touches:
            return ()
        if spec.statement >= 0:
            argument = self.library.argument(call, spec.statement, spec)
            if argument is None:
                return ()
            text = self.sql_text(function_id, argument, call.position)
            return (text,) if text else tuple(self._steps_of(function_id, function, argument, call.position, 0))
        return self.steps_to(function_id, function, call)

    def steps_to(self, function_id: int, function: Function, call: Call) -> tuple[str, ...]:
        """The steps of a fluent query that end with this call."""
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
        made = [
            each.payload
            for each in self.resolver.scope(function_id).get(name, ())
            if each.position < position and isinstance(each.payload, Assignment)
        ]
        steps: list[str] = []
        for each in _since_anew(function, name, made, position)[
            -4:
        ]:  # `query = query.where(...)` refines what came before
            own = self._steps_of(function_id, function, each.value, each.position, depth + 1)
            steps.extend(step for step in own if step not in steps)
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
            return value.text
        if depth > MAX_DEPTH:
            return ""
        if value.kind == "call" and value.call >= 0:
            if self.symbols.function(function_id).calls[value.call].callee == "<str>.format":
                return written_literal(value.text.partition(".format(")[0])
            return self._built_sql(function_id, value.call, depth)
        if value.kind == "name":
            keyed = keyed_statement(value, self.resolver.statements)
            return keyed or self._sql_of_name(function_id, value.text, position, depth)
        return written_literal(value.text) if value.kind in {"other", "either"} else ""

    def _built_sql(self, function_id: int, index: int, depth: int) -> str:
        inner = self.symbols.function(function_id).calls[index]
        spec = self.library.call(self.resolver.call(function_id, index)[0].name.partition(":")[2])
        built = self.library.argument(inner, spec.builds, spec) if spec.builds >= 0 else None
        if built is None and inner.receiver >= 0:
            return self._built_sql(function_id, inner.receiver, depth + 1)  # `text("...").bindparams(...)`
        return self.sql_text(function_id, built, inner.position, depth + 1) if built is not None else ""

    def _sql_of_name(self, function_id: int, name: str, position: int, depth: int) -> str:
        top = self.symbols.first_id[self.symbols.places[function_id].file]
        if "." in name:
            return self._sql_of_attribute(function_id, name, position, depth)
        for scope_id in dict.fromkeys((function_id, top)):
            found = self._sql_of_scope(scope_id, name, position, depth)
            if found:
                return found
            position = END
        module, _, imported = self.symbols.modules[self.symbols.places[top].file].names.get(name, "").rpartition(".")
        return self._sql_of_module(module, imported, depth)

    def _sql_of_scope(self, scope_id: int, name: str, position: int, depth: int) -> str:
        bindings = self.resolver.scope(scope_id).get(name, ())
        assigned = [each for each in bindings if each.kind == "assign" and each.position < position]
        texts = (self.sql_text(scope_id, each.payload.value, position, depth + 1) for each in reversed(assigned))  # type: ignore[union-attr]
        return next((each for each in texts if each), "")

    def _sql_of_module(self, module: str, name: str, depth: int) -> str:
        file = self.symbols.by_module.get(module) if name else None
        return "" if file is None else self._sql_of_scope(self.symbols.first_id[file], name, END, depth)

    def _sql_of_attribute(self, function_id: int, chain: str, position: int, depth: int) -> str:
        """`queries.FIND_USER`, `self.FIND_USER`: a constant of a module or a class of the project."""
        holder, _, name = chain.rpartition(".")
        of = self.resolver.chain(function_id, holder, -1, position)
        kind, _, module = of.name.partition(":")
        if kind == "module":
            return self._sql_of_module(module, name, depth)
        for base in self.resolver.lineage(of.args[0] if of.name == "type" and of.args else of):
            symbol = self.symbols.classes.get(base.name)
            constant = self.symbols.body(symbol).attributes.get(name) if symbol is not None else None
            if symbol is not None and constant is not None:
                return self.sql_text(self.symbols.first_id[symbol.place.file], constant.value, END, depth + 1)
        return ""


def _since_anew(function: Function, name: str, made: list[Assignment], position: int) -> list[Assignment]:
    """Of all that a name was given, what it may still be at a position: what it was before it was bound anew, on the way
    there, to something else than itself, is gone."""
    for number in range(len(made) - 1, 0, -1):
        block = function.blocks[made[number].block]
        refined = any(root_of(each) == name for each in made[number].value.names)
        if not refined and block.start <= position <= block.end:
            return made[number:]
    return made


def written_literal(source: str) -> str:
    """The text of a string literal that stands in source text, cut off or not; "" for what starts otherwise."""
    opening = _LITERAL.match(source)
    if opening is None:
        return ""
    quote = opening[1]
    return HOLE.sub("{}", source[opening.end() :].partition(quote)[0])


def _step(call: Call) -> str:
    arguments = ", ".join(
        f"{a.keyword}={a.value.text}" if a.keyword not in {"", "*", "**"} else a.keyword + a.value.text
        for a in call.arguments
    )
    return f"{call.callee.rpartition('.')[2]}({arguments})"
