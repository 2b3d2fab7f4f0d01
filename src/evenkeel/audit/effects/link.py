"""Linking: every call of a function gets its library name, its project targets and its effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.implicit import LAZY, implicit_calls
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.runners import Runners
from evenkeel.audit.effects.statements import effects_of_builder, effects_of_sql, key_of
from evenkeel.audit.effects.types import UNKNOWN, Type
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function, Value
from evenkeel.audit.model.index import CallMode, Entity, Link, LinkedFunction

MAX_TARGETS = 8
MAX_STEPS = 24
COMMON_METHODS = frozenset(
    "get set add update delete create save load read write run start stop close open send receive execute commit process handle "
    "append remove pop clear copy items keys values find filter all first list count format parse encode decode call apply".split()
)


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
        decorators = [self.library.decorator(self.resolver.decorator(function_id, d.chain)) for d in function.decorators]
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
        )

    @staticmethod
    def _key(call: Call, spec: CallSpec | None, query: tuple[str, ...]) -> str:
        if spec is not None and spec.key >= 0 and spec.key < len(call.arguments):
            return call.arguments[spec.key].value.text
        return key_of(query)

    def relation_link(self, holder: Type, name: str) -> Link | None:
        """Reading a relationship of an entity: the link that says so, with the type it gives."""
        relation = self._relations.get((holder.name, name))
        if relation is None:
            return None
        result = f"list[{relation.target}]" if relation.many else relation.target
        return Link(0, library=LAZY, implicit="read", receiver=holder.name, result=result, key=name, certain=relation.lazy)

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
            self._describe_class(callee.args[0], found)
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
        found: list[Effect] = []
        for text in spec.effects:
            kind, _, detail = text.partition(":")
            detail = detail or (entity if kind.startswith("db-") else "")
            found.append(Effect(kind, detail, spec.blocking, described.certain))  # type: ignore[arg-type]
        if spec.statement >= 0:
            found.extend(self._statement_effects(function_id, call, spec, query, certain=described.certain))
        if any(each.kind == "db-read" for each in found) and query and _counts(query):
            found.append(Effect("db-count", entity, spec.blocking, described.certain))
        return tuple(dict.fromkeys(found))

    def _statement_effects(
        self, function_id: int, call: Call, spec: CallSpec, query: tuple[str, ...], *, certain: bool
    ) -> tuple[Effect, ...]:
        argument = self._argument(call, spec.statement)
        if argument is None:
            return ()
        text = self.sql_text(function_id, argument, call.position)
        found = effects_of_sql(text, blocking=spec.blocking) if text else ()
        if not found:
            statement = self.resolver.value(function_id, argument, call.position)
            entity = statement.args[0].name if statement.args else ""
            found = effects_of_builder(statement.name, entity, query, blocking=spec.blocking)
        if not found:
            return (Effect("db-read", "", spec.blocking, certain=False),)
        return found if certain else tuple(Effect(e.kind, e.detail, e.blocking, False) for e in found)

    @staticmethod
    def _argument(call: Call, position: int) -> Value | None:
        positional = [each.value for each in call.arguments if each.keyword not in {"*", "**"}]
        return positional[position] if position < len(positional) else None

    def sql_text(self, function_id: int, value: Value, position: int, depth: int = 0) -> str:
        """SQL text that an argument is, directly, through a variable or a constant, or wrapped in `text(...)`."""
        if value.kind == "string":
            return value.text.lstrip("rbfuRBFU").strip("\"'")
        if depth > 3:
            return ""
        if value.kind == "call" and value.call >= 0:
            inner = self.symbols.function(function_id).calls[value.call]
            if inner.callee.rpartition(".")[2] in {"text", "SQL", "format", "RawSQL"}:
                if inner.arguments and inner.arguments[0].value.kind != "none":
                    return self.sql_text(function_id, inner.arguments[0].value, inner.position, depth + 1)
            return ""
        if value.kind == "name":
            return self._sql_of_name(function_id, value.text, position, depth)
        return value.text if value.kind == "other" and value.text[:1] in "fF\"'" else ""

    def _sql_of_name(self, function_id: int, name: str, position: int, depth: int) -> str:
        for scope_id in (function_id, self.symbols.first_id[self.symbols.places[function_id].file]):
            bindings = [b for b in self.resolver.scope(scope_id).get(name, ()) if b.kind == "assign" and b.position < position]
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
        argument = self._argument(call, int(wanted)) if wanted.isdigit() else None
        if wanted.startswith("keyword:"):
            name = wanted.removeprefix("keyword:")
            argument = next((each.value for each in call.arguments if each.keyword == name), None)
        if argument is None:
            return "" if wanted.isdigit() or wanted.startswith("keyword:") else wanted
        found = self.resolver.value(function_id, argument, call.position)
        named = found.args[0] if found.name == "type" else found
        return named.name if not named.name.startswith(("lib:", "var:", "def:", "bound:")) else ""

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
            argument = self._argument(call, spec.statement)
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
        bindings = [b for b in self.resolver.scope(function_id).get(name, ()) if b.kind == "assign" and b.position < position]
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
            argument = self._argument(call, spec.runs)
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
        return self._argument(call, names.index(parameter))

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
    arguments = ", ".join(f"{a.keyword}={a.value.text}" if a.keyword not in {"", "*", "**"} else a.keyword + a.value.text for a in call.arguments)
    return f"{call.callee.rpartition('.')[2]}({arguments})"


def _mode(spec: CallSpec) -> CallMode:
    kinds = {each.partition(":")[0] for each in spec.effects}
    if "offload" in kinds:
        return "offload"
    if "spawn" in kinds or "enqueue" in kinds:
        return "spawn"
    return "gather" if "gather" in kinds else ""


def _counts(query: tuple[str, ...]) -> bool:
    return any("func.count(" in step or "Count(" in step for step in query[:1])
