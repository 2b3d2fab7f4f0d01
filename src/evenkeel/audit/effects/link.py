"""Linking: every call of a function gets its library name, its project targets and its effects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.effects.callees import REMEMBERED, Callees, Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.consequences import LibraryEffects
from evenkeel.audit.effects.handover import Handover
from evenkeel.audit.effects.implicit import LAZY, implicit_calls
from evenkeel.audit.effects.latest import answers
from evenkeel.audit.effects.newness import is_new
from evenkeel.audit.effects.queries import Queries
from evenkeel.audit.effects.reads import member_names, reads_along, tells
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.sketches import MAX_TARGETS, Sketch, Sketches
from evenkeel.audit.effects.statements import key_of
from evenkeel.audit.effects.types import UNKNOWN, Type, text_of
from evenkeel.audit.model.effects import NEW, Effect
from evenkeel.audit.model.facts import END, Call, Function, Value, root_of
from evenkeel.audit.model.index import Entity, Link, LinkedFunction
from evenkeel.audit.model.shapes import LOOPS, looped_calls, shape_of

NOT_ASKED = Link(-1)
Table = dict[str, Link | None]  # what is called -> the link of its calls but for the number


class Tables(NamedTuple):
    """The links of calls that are not awaited, and of those that are."""

    plain: Table
    awaited: Table


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
        self.callees = Callees(resolver, overrides, unique)
        self.handover = Handover(resolver, self.callees)
        self.functions_in = self.handover.functions_in
        self.queries = Queries(resolver)
        self.effects = LibraryEffects(resolver, self.queries)
        self.sketches = Sketches(self.handover, self.effects, entities)
        self.entities = entities
        self.members = member_names(resolver, entities)
        self._telling: dict[str, bool] = answers(REMEMBERED, held=self.symbols.held)
        self._reads: dict[tuple[Type, str], tuple[tuple[int, Link], ...]] = answers(REMEMBERED, held=self.symbols.held)
        self.dependencies: dict[tuple[int, str], str] = answers(REMEMBERED, held=self.symbols.held)  # see `implicit`
        self._steady = Tables({}, {})  # calls that are the same everywhere in the file at hand
        self._relations = {(e.name, r.name): r for e in entities.values() for r in e.relations}

    def link_file(self, file: int) -> tuple[LinkedFunction, ...]:
        """All functions of a file, in the order of its facts."""
        self._steady = Tables({}, {})
        first = self.symbols.first_id[file]
        functions = self.symbols.facts(file).functions
        return tuple([self.link_function(first + index, function) for index, function in enumerate(functions)])

    def link_function(self, function_id: int, function: Function) -> LinkedFunction:
        """One function."""
        kept = self._links(function_id, function)
        implicit = implicit_calls(self, function_id, function, kept)
        kept.extend([link for _, link in implicit])
        types = tuple(self._types(function_id))
        decorators = [
            self.library.decorator(self.resolver.decorator(function_id, d.chain)) for d in function.decorators
        ]
        scope = next((each.scope for each in decorators if each is not None and each.scope), "")
        cached = any(each is not None and each.cached for each in decorators)
        made = tuple([call for call, _ in implicit])
        shape = shape_of(function)
        looped = looped_calls(function, made, kept) if shape & LOOPS else ()
        return LinkedFunction(function_id, made, tuple(kept), types, scope, cached, shape, looped)

    def _types(self, function_id: int) -> Iterator[tuple[str, str]]:
        for name, bindings in self.resolver.scope(function_id).items():
            if "." in name:
                continue
            found = self.resolver.name(function_id, name, END)
            if found.name and not found.name.startswith(("lib:", "bound:", "module:")) and bindings:
                yield name, text_of(found)

    def _links(self, function_id: int, function: Function) -> list[Link]:
        """What the calls are of which anything is known."""
        found: list[Link] = []
        local = self.resolver.local_names(function_id)
        own = Tables({}, {})
        for index, call in enumerate(function.calls):
            root = root_of(call.callee)
            is_local = root in local
            table = (own if is_local else self._steady)[call.awaited]
            link = table.get(call.callee, NOT_ASKED) if call.receiver < 0 and not call.keys else NOT_ASKED
            if link is NOT_ASKED or (link is not None and link.targets and call.parent >= 0):
                link = self._link(function_id, function, index, root if is_local else "", table)
            elif link is not None:
                link = _numbered(index, link)
            if link is not None:
                found.append(link)
        return found

    def _link(self, function_id: int, function: Function, index: int, local: str, table: Table) -> Link | None:
        """What a call is; None when nothing is known of it. `local`: see `Results.call_at`. Where it is the same for all that
        call the same there, it is put into the table."""
        call = function.calls[index]
        callee, result, everywhere = self.resolver.call_at(function_id, index, call, local)
        guessed = -1 if callee.name else self.callees.guess(call)
        sketch = self.sketches.of(callee)
        if not sketch.settled or guessed >= 0 or self._is_special(function_id, function, call, sketch):
            return self._whole_link(function_id, function, index, (callee, result), guessed)
        link = sketch.link(index, result)
        if everywhere and sketch.described.receiver.name not in self.entities:
            table[call.callee] = link
        return link

    def _is_special(self, function_id: int, function: Function, call: Call, sketch: Sketch) -> bool:
        """Whether how a call is made changes what it does: a query that is awaited, a coroutine that a task is made of."""
        if call.awaited:
            return sketch.gives_awaitable and not sketch.effects
        if sketch.targets and self._is_on_new(function_id, call, sketch.described):
            return True
        return bool(sketch.targets) and call.parent >= 0 and self.handover.is_spawned(function_id, function, call)

    def _is_on_new(self, function_id: int, call: Call, described: Described) -> bool:
        """Whether a method of the project is called on a row that is made right here: `User(name).save()`."""
        if described.receiver.name not in self.entities:
            return False
        holder = Value("name", call.callee.rpartition(".")[0], call.receiver)
        return is_new(self.resolver, function_id, holder, call.position)

    def _whole_link(
        self, function_id: int, function: Function, index: int, resolved: tuple[Type, Type], guessed: int
    ) -> Link | None:
        callee, result = resolved
        call = function.calls[index]
        described = self.callees.describe(callee)
        if guessed >= 0:
            described.targets.append(guessed)
            described.certain = False
        spec = self.library.call(described.library) if described.library else None
        effects: tuple[Effect, ...] = ()
        query: tuple[str, ...] = ()
        if spec is not None:
            query = self.queries.query_steps(function_id, function, index, spec)
            effects = self.effects.effects_of(function_id, call, spec, described, query)
        if call.awaited and not effects and self.resolver.gives_awaitable(callee):
            effects = self.library.awaited_effects(self.resolver.result_of(callee, function_id, call))
            query = self.queries.steps_to(function_id, function, call) if effects else query
        self.handover.place(function_id, function, call, spec, described)
        self.handover.inside_spawn(function_id, function, call, described)
        if described.handed:
            effects = (*effects, *self.effects.handed(described))
        if not (described.library or described.targets or described.runs or result.name):
            return None
        return Link(
            call=index,
            library=described.library,
            targets=tuple(dict.fromkeys(described.targets))[:MAX_TARGETS] if described.targets else (),
            effects=effects,
            mode=described.mode,
            runs=tuple(dict.fromkeys(described.runs))[:MAX_TARGETS] if described.runs else (),
            receiver=text_of(described.receiver),
            result=text_of(result),
            query=query,
            certain=described.certain,
            key=self._key(call, spec, query),
            bounded=bool(spec and spec.bounded),
            variables=self._variables(function_id, call, described) if described.targets else (),
            applied=described.applied,
        )

    def _variables(self, function_id: int, call: Call, described: Described) -> tuple[tuple[str, str], ...]:
        found = self.sketches.variables(described)
        return (*found, (NEW, described.receiver.name)) if self._is_on_new(function_id, call, described) else found

    def _key(self, call: Call, spec: CallSpec | None, query: tuple[str, ...]) -> str:
        key = self.library.argument(call, spec.key, spec) if spec is not None and spec.key >= 0 else None
        return key.text if key is not None else key_of(query)

    def tells(self, chain: str) -> bool:
        """Whether reading a chain of attributes may do anything."""
        known = self._telling.get(chain)
        if known is None:
            known = self._telling[chain] = tells(chain, self.members.read)
        return known

    def reads_along(self, holder: Type, chain: str) -> tuple[tuple[int, Link], ...]:
        """What reading a chain of attributes of a value does, see `reads.reads_along`."""
        key = (holder, chain)
        known = self._reads.get(key)
        if known is None:
            known = self._reads[key] = tuple(reads_along(self, holder, chain))
        return known

    def relation_link(self, holder: Type, name: str) -> Link | None:
        """Reading a relationship of an entity: the link that says so, with the type it gives."""
        relation = self._relations.get((holder.name, name))
        if relation is None:
            return None
        result = f"list[{relation.target}]" if relation.many else relation.target
        return Link(
            0, library=LAZY, implicit="read", receiver=holder.name, result=result, key=name, certain=relation.lazy
        )

    def managed_link(self, holder: Type, name: str) -> Link | None:
        """Going through all rows of a relation that is read through a manager, as a nested serialiser does."""
        manager = self.resolver.related.get((holder.name, name), UNKNOWN)
        if not manager.args or self.library.type_spec(manager.name).role != "query":
            return None
        result = f"list[{manager.args[0].name}]"
        return Link(0, library=LAZY, implicit="read", receiver=holder.name, result=result, key=name)


def _numbered(index: int, link: Link) -> Link:
    """The link of another call of the same."""
    return Link(
        index, link.library, link.targets, link.effects, link.mode, link.runs, link.receiver, link.result, (),
        link.certain, "", "", link.bounded, link.variables, link.applied,
    )  # fmt: skip
