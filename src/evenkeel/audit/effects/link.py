"""Linking: every call of a function gets its library name, its project targets and its effects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.implicit import LAZY, implicit_calls, lazy_effects, made_effects
from evenkeel.audit.effects.library import NO_CALL, keyword
from evenkeel.audit.effects.newness import sharpened
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.runners import Runners
from evenkeel.audit.effects.statements import effects_of_sql, key_of
from evenkeel.audit.effects.types import UNKNOWN, Type
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.index import CallMode, Entity, Link, LinkedFunction

MAX_TARGETS = 8
MAX_STEPS = 24
USUAL_METHODS = frozenset(
    "get set add update delete create save load read write run start stop close open send receive execute commit process handle "
    "append remove pop clear copy items keys values find filter all first list count format parse encode decode call apply".split()
)
# Methods of values that need no annotation to be common: a name they have says nothing about who is called.
VALUES = (str, bytes, bytearray, int, float, list, dict, set, tuple, re.Pattern, re.Match, date, datetime, timedelta)
COMMON_METHODS = USUAL_METHODS | {name for each in VALUES for name in dir(each)}


@dataclass(slots=True)
class Described:
    """What a callee type is, split by what linking needs."""

    library: str = ""
    targets: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    mode: CallMode = ""
    receiver: Type = UNKNOWN
    base: Type = UNKNOWN
    certain: bool = True


class Linker:
    """Links the functions of one file after another."""

    def __init__(
        self,
        resolver: Resolver,
        overrides: dict[int, tuple[int, ...]],
        unique: dict[str, int],
        entities: dict[str, Entity],
    ) -> None:
        """`overrides`: method -> methods of subclasses that replace it; `unique`: method names defined exactly once."""
        self.resolver = resolver
        self.library = resolver.library
        self.symbols = resolver.symbols
        self.runners = Runners(resolver)
        self._overrides = overrides
        self._unique = unique
        self._relations = {(e.name, r.name): r for e in entities.values() for r in e.relations}

    def link_file(self, file: int) -> tuple[LinkedFunction, ...]:
        """All functions of a file, in the order of its facts."""
        first = self.symbols.first_id[file]
        functions = self.symbols.facts(file).functions
        return tuple(self.link_function(first + index, function) for index, function in enumerate(functions))

    def link_function(self, function_id: int, function: Function) -> LinkedFunction:
        """One function."""
        links = [self._link(function_id, function, index, call) for index, call in enumerate(function.calls)]
        implicit = implicit_calls(self, function_id, function)
        kept = [each for each in links if each is not None]
        kept.extend(link for _, link in implicit)
        types = tuple(self._types(function_id))
        decorators = [
            self.library.decorator(self.resolver.decorator(function_id, d.chain)) for d in function.decorators
        ]
        scope = next((each.scope for each in decorators if each is not None and each.scope), "")
        cached = any(each is not None and each.cached for each in decorators)
        return LinkedFunction(function_id, tuple(call for call, _ in implicit), tuple(kept), types, scope, cached)

    def _types(self, function_id: int) -> Iterator[tuple[str, str]]:
        for name, bindings in self.resolver.scope(function_id).items():
            if "." in name:
                continue
            found = self.resolver.name(function_id, name, 1 << 60)
            if found.name and not found.name.startswith(("lib:", "bound:", "module:")) and bindings:
                yield name, str(found)

    def _link(self, function_id: int, function: Function, index: int, call: Call) -> Link | None:
        callee, result = self.resolver.call(function_id, index)
        described = self.describe(callee)
        if not callee.name:
            self._guess(call, described)
        spec = self.library.call(described.library) if described.library else None
        effects: tuple[Effect, ...] = ()
        query: tuple[str, ...] = ()
        if spec is not None:
            query = self.query_steps(function_id, function, index, spec)
            effects = self.effects_of(function_id, call, spec, described, query)
        self._place_arguments(function_id, function, call, spec, described)
        self._inside_spawn(function_id, function, call, described)
        if not (described.library or described.targets or described.runs or result.name):
            return None
        return Link(
            call=index,
            library=described.library,
            targets=tuple(dict.fromkeys(described.targets))[:MAX_TARGETS],
            effects=effects,
            mode=described.mode,
            runs=tuple(dict.fromkeys(described.runs))[:MAX_TARGETS],
            receiver=str(described.receiver),
            result=str(result),
            query=query,
            certain=described.certain,
            key=self._key(call, spec, query),
            bounded=bool(spec and spec.bounded),
            variables=self._variables(described),
        )

    def _variables(self, described: Described) -> tuple[tuple[str, str], ...]:
        """How the receiver binds the type variables of the class that a target belongs to."""
        receiver = described.receiver
        if not described.targets or receiver.name in {"", "super"}:
            return ()
        of = receiver.args[0] if receiver.name == "type" else receiver
        owner = self.resolver.owner(described.targets[0])
        if owner is None or not self.resolver.type_parameters(owner.name):
            return ()
        base = next((each for each in self.resolver.lineage(of) if each.name == owner.name), None)
        bound = self.resolver.bindings_of(base) if base is not None else {}
        return tuple(
            (name, each.name) for name, each in bound.items() if each.name and not each.name.startswith("var:")
        )

    def _key(self, call: Call, spec: CallSpec | None, query: tuple[str, ...]) -> str:
        key = self.library.argument(call, spec.key, spec) if spec is not None and spec.key >= 0 else None
        return key.text if key is not None else key_of(query)

    def relation_link(self, holder: Type, name: str) -> Link | None:
        """Reading a relationship of an entity: the link that says so, with the type it gives."""
        relation = self._relations.get((holder.name, name))
        if relation is None:
            return None
        result = f"list[{relation.target}]" if relation.many else relation.target
        return Link(
            0, library=LAZY, implicit="read", receiver=holder.name, result=result, key=name, certain=relation.lazy
        )

    # -- what is called ------------------------------------------------------------------------------------------

    def describe(self, callee: Type) -> Described:
        """Library name, project targets and receiver of a callee type."""
        found = Described()
        for each in callee.args if callee.name == "union" else (callee,):
            self._describe_one(each, found)
        return found

    def _describe_one(self, callee: Type, found: Described) -> None:
        kind, _, rest = callee.name.partition(":")
        if callee.name == "type":
            for each in callee.args:
                self._describe_class(each, found)
        elif callee.name == "offloaded":
            found.mode = "offload"
            inner = self.describe(callee.args[0])
            found.runs.extend(inner.targets)
        elif kind == "def":
            found.receiver = callee.args[0] if callee.args else UNKNOWN
            found.targets.append(int(rest))
            found.targets.extend(self._dispatched(int(rest), found.receiver))
        elif kind in {"lib", "bound"}:
            found.library = rest
            found.receiver = callee.args[0] if callee.args else UNKNOWN
            found.base = callee.args[1] if len(callee.args) > 1 else found.receiver
            if found.base.name == "?":
                found.certain, found.base = False, found.receiver
        elif kind not in {"", "module", "var"}:
            method = self.resolver.member(callee, "__call__")
            if method.name:
                self._describe_one(method, found)

    def _describe_class(self, of: Type, found: Described) -> None:
        symbol = self.symbols.classes.get(of.name)
        if symbol is None:
            found.library = of.name
            return
        for name in ("__init__", "__post_init__", "__new__"):
            method = self.resolver.member(of, name)
            if method.name.startswith("def:"):
                found.targets.append(int(method.name[4:]))

    def _dispatched(self, function_id: int, receiver: Type) -> Iterator[int]:
        """Overriding methods that a call through a base type may reach."""
        if receiver.name == "super":
            return
        for each in self._overrides.get(function_id, ()):
            owner = self.resolver.owner(each)
            if owner is None or not receiver.name or receiver.name == "type":
                yield each
            elif any(base.name == receiver.name for base in self.resolver.lineage(Type(owner.name))):
                yield each

    def _guess(self, call: Call, described: Described) -> None:
        """An unknown receiver: a method name that only one class of the project defines is taken for it."""
        holder, _, name = call.callee.rpartition(".")
        if holder and name not in COMMON_METHODS and name in self._unique and holder != "<expr>":
            described.targets.append(self._unique[name])
            described.certain = False

    # -- what it does --------------------------------------------------------------------------------------------

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
            found.extend(lazy_effects(self, self.resolver.value(function_id, consumed, call.position)))
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
        text = self.sql_text(function_id, argument, call.position)
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

    def sql_text(self, function_id: int, value: Value, position: int, depth: int = 0) -> str:
        """SQL text that an argument is, directly, through a variable or a constant, or wrapped in `text(...)`."""
        if value.kind == "string":
            return value.text.lstrip("rbfuRBFU").strip("\"'")
        if depth > 3:
            return ""
        if value.kind == "call" and value.call >= 0:
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

    # -- queries -------------------------------------------------------------------------------------------------

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

    # -- functions as arguments ----------------------------------------------------------------------------------

    def _place_arguments(
        self, function_id: int, function: Function, call: Call, spec: CallSpec | None, described: Described
    ) -> None:
        """Functions handed over as arguments: what the callee runs, and how."""
        if spec is not None and spec.runs >= 0:
            described.mode = _mode(spec)
            argument = self.library.argument(call, spec.runs, spec)
            if argument is not None:
                described.runs.extend(self.functions_in(function_id, function, argument, call.position))
            return
        for target in tuple(described.targets):
            for parameter, mode in self.runners.of(target).items():
                argument = self._passed(target, call, parameter)
                if argument is not None:
                    described.runs.extend(self.functions_in(function_id, function, argument, call.position))
                    described.mode = mode

    def _passed(self, target: int, call: Call, parameter: str) -> Value | None:
        names = [each.name for each in self.symbols.function(target).parameters if each.name not in {"self", "cls"}]
        named = next((each.value for each in call.arguments if each.keyword == parameter), None)
        if named is not None or parameter not in names:
            return named
        positional = [each.value for each in call.arguments if not each.keyword]
        position = names.index(parameter)
        return positional[position] if position < len(positional) else None

    def functions_in(self, function_id: int, function: Function, value: Value, position: int) -> Iterator[int]:
        """Project functions that an argument stands for: a name, a lambda, `partial(f, ...)`."""
        if value.kind == "call" and value.call >= 0:
            inner = function.calls[value.call]
            if inner.callee.rpartition(".")[2] == "partial" and inner.arguments:
                yield from self.functions_in(function_id, function, inner.arguments[0].value, position)
            return
        described = self.describe(self.resolver.value(function_id, value, position))
        yield from described.targets

    def _inside_spawn(self, function_id: int, function: Function, call: Call, described: Described) -> None:
        """`create_task(f(x))`: the inner call makes a coroutine, what it does happens in another task."""
        if call.parent < 0 or call.awaited:
            return
        outer = function.calls[call.parent]
        callee = self.describe(self.resolver.call(function_id, call.parent)[0])
        spec = self.library.call(callee.library) if callee.library else None
        direct = any(each.value.call >= 0 and function.calls[each.value.call] is call for each in outer.arguments)
        mode: str = _mode(spec) if spec is not None and spec.runs >= 0 else ""
        for target in callee.targets:
            mode = mode or next(iter(self.runners.of(target).values()), "")
        if direct and mode == "spawn" and described.targets:
            described.runs, described.targets = [*described.runs, *described.targets], []
            described.mode = "spawn"


def _step(call: Call) -> str:
    arguments = ", ".join(
        f"{a.keyword}={a.value.text}" if a.keyword not in {"", "*", "**"} else a.keyword + a.value.text
        for a in call.arguments
    )
    return f"{call.callee.rpartition('.')[2]}({arguments})"


def _mode(spec: CallSpec) -> CallMode:
    kinds = {each.partition(":")[0] for each in spec.effects}
    if "offload" in kinds:
        return "offload"
    if "spawn" in kinds or "enqueue" in kinds:
        return "spawn"
    return "gather" if "gather" in kinds else ""
