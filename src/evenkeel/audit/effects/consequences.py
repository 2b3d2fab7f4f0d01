"""What a library call does: its effects with entity, table and certainty filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.effects.callees import Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.entities import is_entity
from evenkeel.audit.effects.expressions import keyword
from evenkeel.audit.effects.library import NO_CALL, made_effects
from evenkeel.audit.effects.newness import sharpened
from evenkeel.audit.effects.queries import Queries
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import element_of
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.sql import effects_of_sql, guessed

COLUMN = re.compile(r"^\w+\((\w+(?:\.\w+)+)")  # the first column of `select(models.User.id, models.User.name)`

BUFFER = "io.StringIO"  # the catalogue's name for a file in memory, of text or bytes

NOT_HANDED = frozenset({"spawn", "offload", "gather", "connect", "copy", "log"})  # of the callable's own call only


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
        if spec.unless and self._is_spared(call, spec):
            return ()
        entity = self._entity(function_id, call, spec, described)
        found = list(made_effects(spec.effects, entity, blocking=spec.blocking, certain=described.certain))
        if any(each.kind == "file" for each in found) and self._stays_in_memory(function_id, call, found):
            found = [each for each in found if "file" not in {each.kind, each.detail}]
        if spec.named:
            text = self.resolver.statements.get(call.callee.rpartition(".")[2], "")
            found.extend((text and effects_of_sql(text, blocking=not call.awaited)) or ())
        if spec.statement >= 0:
            found.extend(self._statement_effects(function_id, call, spec, certain=described.certain))
        consumed = self.library.argument(call, spec.consumes, spec) if spec.consumes >= 0 else None
        if consumed is not None and consumed.kind in {"name", "call"} and not self._was_run(function_id, consumed):
            found.extend(self.library.lazy_effects(self.resolver.value(function_id, consumed, call.position)))
        first = self.library.argument(call, 0, spec)
        found.extend(sharpened(self.resolver, function_id, call, found, first))
        if query and any(each.kind in {"db-read", "db-insert"} for each in found):
            found.extend(self._added(function_id, call, entity or found[0].detail, spec, described))
        return tuple(dict.fromkeys(found))

    @staticmethod
    def of_all(spec: CallSpec, described: Described) -> tuple[Effect, ...]:
        """The effects of all calls of what does the same whatever it is given."""
        made = made_effects(spec.effects, "", blocking=spec.blocking, certain=described.certain)
        return tuple(dict.fromkeys(made))

    def _is_spared(self, call: Call, spec: CallSpec) -> bool:
        """Whether a call is made in a way that its spec says has no effect: by what it is given, or leaves out."""
        given = {each.keyword: each.value.text for each in call.arguments if each.keyword}
        positional = (each.value.text for each in call.arguments if not each.keyword)
        given.update(zip(spec.parameters, positional, strict=False))
        return any(
            given.get(name) == literal if equals else name not in given
            for name, equals, literal in (each.partition("=") for each in spec.unless)
        )

    def _was_run(self, function_id: int, value: Value) -> bool:
        """Whether a value is the cursor of a statement that this same expression runs: `list(connection.execute(...))`."""
        if value.kind != "call" or value.call < 0:
            return False
        name = self.resolver.call(function_id, value.call)[0].name.partition(":")[2]
        return self.library.call(name).statement >= 0

    def handed(self, described: Described) -> Iterator[Effect]:
        """The effects of library callables that are run through an argument: `to_thread(requests.get, url)`."""
        for name in described.handed:
            spec = self.library.call(name)
            blocking = spec.blocking and described.mode == ""
            made = made_effects(spec.effects, "", blocking=blocking, certain=described.certain)
            yield from (each for each in made if each.kind not in NOT_HANDED)
            if spec.statement >= 0:
                yield Effect("db-read", "", blocking, certain=False)

    def _stays_in_memory(self, function_id: int, call: Call, found: list[Effect]) -> bool:
        """Whether what could be a file is memory here: `Image.open(BytesIO(body))`, `frame.to_csv()` without a path."""
        documents = any(each.kind == "cpu" and each.detail == "document" for each in found)
        if documents and all(each.keyword for each in call.arguments):
            return True
        given = [each.value for each in call.arguments if each.value.kind in {"name", "call"}]
        types = [self.resolver.value(function_id, each, call.position).name for each in given]
        roles = {self.library.type_spec(each).role for each in types}
        return BUFFER in types and "file" not in roles

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
        receiver = (
            call.receiver if depth else -1
        )  # the steps of a statement in a variable: `insert(T).from_select(...)`
        while receiver >= 0:
            yield receiver
            receiver = function.calls[receiver].receiver
        argument = self.library.argument(call, max(spec.statement, 0), spec)
        if depth < 2 and argument is not None and argument.kind == "name":
            for binding in self.resolver.scope(function_id).get(argument.text, ()):
                value = getattr(binding.payload, "value", None)
                if binding.kind == "assign" and value is not None and value.kind == "call" and value.call >= 0:
                    yield value.call
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
        found = effects_of_sql(text, blocking=spec.blocking) if text else None
        if found is None:
            found = self._built_effects(function_id, argument, call, spec)
        return found if certain else tuple(Effect(e.kind, e.detail, e.blocking, False) for e in found)

    def _built_effects(self, function_id: int, argument: Value, call: Call, spec: CallSpec) -> tuple[Effect, ...]:
        """What a statement object does, by its type; a statement that nothing tells of counts as a read, not for sure."""
        statement = self.resolver.value(function_id, argument, call.position)
        entity = self.library.selected(statement)
        specs = (self.library.type_spec(each) for each in self.library.lineage(statement.name))
        kinds = next((each.statement_effects for each in specs if each.statement_effects), ())
        if not kinds:
            return guessed(self.symbols.function(function_id).name, blocking=spec.blocking)
        named = entity.name if entity is not statement else ""
        return made_effects(kinds, self._project_class(function_id, argument, call, named), blocking=spec.blocking)

    def _project_class(self, function_id: int, argument: Value, call: Call, named: str) -> str:
        """`select(User.id)` reads users, whatever the type of the column is."""
        if named.startswith("var:") or (named in self.symbols.classes and is_entity(self.resolver, named)):
            return named
        function = self.symbols.function(function_id)
        steps = self._queries.steps_of(function_id, function, argument, call.position)
        match = COLUMN.search(steps[0]) if steps else None
        if match is None:
            return named if named in self.symbols.classes or "." not in named else ""
        parts = match.group(1).split(".")
        owners = (
            self.resolver.chain(function_id, ".".join(parts[:length]), -1, call.position)
            for length in range(1, len(parts))
        )
        return next((each.args[0].name for each in owners if each.name == "type" and each.args), "")

    def _entity(self, function_id: int, call: Call, spec: CallSpec, described: Described) -> str:
        wanted = spec.entity
        if not wanted:
            return ""
        if wanted == "self":
            return self._own_entity(described) or self._entity_behind(function_id, call)
        argument = self.library.argument(call, int(wanted), spec) if wanted.isdigit() else None
        if wanted.startswith("keyword:"):
            argument = keyword(call, wanted.removeprefix("keyword:"))
        if argument is None:
            return "" if wanted.isdigit() or wanted.startswith("keyword:") else wanted
        found = self.resolver.value(function_id, argument, call.position)
        named = found.args[0] if found.name == "type" else self.library.selected(found)
        named = element_of(named) if element_of(named).name else named
        kind, colon, _ = named.name.partition(":")
        return named.name if kind == "var" or (not colon and self.library.is_entity(named.name)) else ""

    def _entity_behind(self, function_id: int, call: Call) -> str:
        """The entity of a query whose rows are no entities any more: `User.objects.values("id").get(...)`."""
        function = self.symbols.function(function_id)
        while call.receiver >= 0:
            index = call.receiver
            call = function.calls[index]
            callee = self.resolver.call(function_id, index)[0]
            held = next((each for each in callee.args if each.args and each.args[0].name in self.symbols.classes), None)
            if held is not None:
                return held.args[0].name
        return ""

    def _own_entity(self, described: Described) -> str:
        base, receiver = described.base, described.receiver
        if base.args:
            return base.args[0].name
        if receiver.name == "type":
            return receiver.args[0].name
        if receiver.args:
            return receiver.args[0].name
        own = receiver.name != base.name or self.library.type_spec(receiver.name).role == "entity"
        return receiver.name if own else ""
