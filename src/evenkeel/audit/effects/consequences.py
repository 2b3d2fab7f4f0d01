"""What a library call does: its effects with entity, table and certainty filled in."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.callees import Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.library import NO_CALL, keyword, made_effects
from evenkeel.audit.effects.newness import sharpened
from evenkeel.audit.effects.queries import Queries
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.statements import effects_of_sql
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function


class LibraryEffects:
    """Turns what the catalogue says of a callable into the effects of one call of it."""

    def __init__(self, resolver: Resolver, queries: Queries) -> None:
        self.resolver = resolver
        self.library = resolver.library
        self.symbols = resolver.symbols
        self._queries = queries

    def effects_of(
        self, function_id: int, call: Call, spec: CallSpec, described: Described, query: tuple[str, ...]
    ) -> tuple[Effect, ...]:
        """The effects of a library call, with entity and certainty filled in."""
        entity = self._entity(function_id, call, spec, described)
        found = list(made_effects(spec.effects, entity, blocking=spec.blocking, certain=described.certain))
        if spec.statement >= 0:
            found.extend(self._statement_effects(function_id, call, spec, certain=described.certain))
        consumed = self.library.argument(call, spec.consumes, spec) if spec.consumes >= 0 else None
        if consumed is not None and consumed.kind in {"name", "call"}:
            found.extend(self.library.lazy_effects(self.resolver.value(function_id, consumed, call.position)))
        first = self.library.argument(call, 0, spec)
        found.extend(sharpened(self.resolver, function_id, call, found, first))
        if query and any(each.kind == "db-read" for each in found):
            found.extend(self._added(function_id, call, entity or found[0].detail, spec, described))
        return tuple(dict.fromkeys(found))

    def _added(
        self, function_id: int, call: Call, entity: str, spec: CallSpec, described: Described
    ) -> Iterator[Effect]:
        """What calls inside the statement add to it: `select(func.count())` counts."""
        function = self.symbols.function(function_id)
        for index in self._statement_calls(function_id, function, call, spec):
            inner = self.resolver.call(function_id, index)[0].name
            for kind in self.library.call(inner.partition(":")[2]).adds:
                yield from made_effects((kind,), entity, blocking=spec.blocking, certain=described.certain)

    def _statement_calls(
        self, function_id: int, function: Function, call: Call, spec: CallSpec, depth: int = 0
    ) -> Iterator[int]:
        """Calls that stand in the statement which `call` runs, or in the variable it runs."""
        start = self._start_of(function, call)
        for index, each in enumerate(function.calls):
            if (
                start <= each.position < call.position
                and each.line >= self._first_line(function, call)
                and each.parent >= 0
            ):
                yield index
        argument = self.library.argument(call, max(spec.statement, 0), spec)
        if depth < 2 and argument is not None and argument.kind == "name":
            for binding in self.resolver.scope(function_id).get(argument.text, ()):
                value = getattr(binding.payload, "value", None)
                if binding.kind == "assign" and value is not None and value.kind == "call" and value.call >= 0:
                    yield from self._statement_calls(
                        function_id, function, function.calls[value.call], NO_CALL, depth + 1
                    )

    @staticmethod
    def _start_of(function: Function, call: Call) -> int:
        return min((each.position for each in function.calls if each.line >= call.line), default=call.position)

    @staticmethod
    def _first_line(function: Function, call: Call) -> int:
        while call.receiver >= 0:
            call = function.calls[call.receiver]
        return call.line

    def _statement_effects(self, function_id: int, call: Call, spec: CallSpec, *, certain: bool) -> tuple[Effect, ...]:
        argument = self.library.argument(call, spec.statement, spec)
        if argument is None:
            return ()
        text = self._queries.sql_text(function_id, argument, call.position)
        found = effects_of_sql(text, blocking=spec.blocking) if text else ()
        if not found:
            statement = self.resolver.value(function_id, argument, call.position)
            entity = self.library.selected(statement)
            kinds = next(
                (
                    self.library.type_spec(each).statement_effects
                    for each in self.library.lineage(statement.name)
                    if self.library.type_spec(each).statement_effects
                ),
                (),
            )
            found = made_effects(kinds, entity.name if entity is not statement else "", blocking=spec.blocking)
        if not found:
            return (Effect("db-read", "", spec.blocking, certain=False),)
        return found if certain else tuple(Effect(e.kind, e.detail, e.blocking, False) for e in found)

    def _entity(self, function_id: int, call: Call, spec: CallSpec, described: Described) -> str:
        wanted = spec.entity
        if not wanted:
            return ""
        if wanted == "self":
            return self._own_entity(described)
        argument = self.library.argument(call, int(wanted), spec) if wanted.isdigit() else None
        if wanted.startswith("keyword:"):
            argument = keyword(call, wanted.removeprefix("keyword:"))
        if argument is None:
            return "" if wanted.isdigit() or wanted.startswith("keyword:") else wanted
        found = self.resolver.value(function_id, argument, call.position)
        named = found.args[0] if found.name == "type" else self.library.selected(found)
        return named.name if not named.name.startswith(("lib:", "def:", "bound:")) else ""

    @staticmethod
    def _own_entity(described: Described) -> str:
        base, receiver = described.base, described.receiver
        if base.args:
            return base.args[0].name
        if receiver.name == "type":
            return receiver.args[0].name
        return receiver.args[0].name if receiver.args else receiver.name if receiver.name != base.name else ""
