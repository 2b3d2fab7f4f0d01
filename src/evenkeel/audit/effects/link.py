"""Linking: every call of a function gets its library name, its project targets and its effects."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.effects.callees import REMEMBERED, Callees, Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.consequences import LibraryEffects
from evenkeel.audit.effects.handover import Handover
from evenkeel.audit.effects.implicit import LAZY, implicit_calls, reads_along
from evenkeel.audit.effects.latest import Bounded
from evenkeel.audit.effects.queries import Queries
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.results import Place
from evenkeel.audit.effects.statements import key_of
from evenkeel.audit.effects.types import UNKNOWN, Type, text_of
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.facts import Call, Function
from evenkeel.audit.model.index import Entity, Link, LinkedFunction
from evenkeel.audit.model.shapes import LOOPS, looped_calls, shape_of

MAX_TARGETS = 8
NOT_ASKED = Link(-1)


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
        self.describe = self.callees.describe
        self.handover = Handover(resolver, self.callees)
        self.functions_in = self.handover.functions_in
        self.queries = Queries(resolver)
        self.effects = LibraryEffects(resolver, self.queries)
        self.entities = entities
        self._reads: Bounded[tuple[Type, str], tuple[tuple[int, Link], ...]] = Bounded(REMEMBERED)
        self._plain: Bounded[Place, Link | None] = Bounded(REMEMBERED)  # calls that are the same everywhere in a file
        self._relations = {(e.name, r.name): r for e in entities.values() for r in e.relations}

    def link_file(self, file: int) -> tuple[LinkedFunction, ...]:
        """All functions of a file, in the order of its facts."""
        first = self.symbols.first_id[file]
        functions = self.symbols.facts(file).functions
        return tuple(self.link_function(first + index, function) for index, function in enumerate(functions))

    def link_function(self, function_id: int, function: Function) -> LinkedFunction:
        """One function."""
        links = (self._link(function_id, function, index, call) for index, call in enumerate(function.calls))
        kept = [each for each in links if each is not None]
        implicit = implicit_calls(self, function_id, function, kept)
        kept.extend(link for _, link in implicit)
        types = tuple(self._types(function_id))
        decorators = [
            self.library.decorator(self.resolver.decorator(function_id, d.chain)) for d in function.decorators
        ]
        scope = next((each.scope for each in decorators if each is not None and each.scope), "")
        cached = any(each is not None and each.cached for each in decorators)
        made = tuple(call for call, _ in implicit)
        shape = shape_of(function)
        looped = looped_calls(function, made, kept) if shape & LOOPS else ()
        return LinkedFunction(function_id, made, tuple(kept), types, scope, cached, shape, looped)

    def _types(self, function_id: int) -> Iterator[tuple[str, str]]:
        for name, bindings in self.resolver.scope(function_id).items():
            if "." in name:
                continue
            found = self.resolver.name(function_id, name, 1 << 60)
            if found.name and not found.name.startswith(("lib:", "bound:", "module:")) and bindings:
                yield name, text_of(found)

    def _link(self, function_id: int, function: Function, index: int, call: Call) -> Link | None:
        """What a call is; None when nothing is known of it."""
        place = self.resolver.everywhere(function_id, call)
        plain = self._plain.get(place, NOT_ASKED) if place is not None else NOT_ASKED
        if plain is not NOT_ASKED:
            return plain and _numbered(index, plain)
        callee, result = self.resolver.call(function_id, index)
        known = self.callees.known(callee)
        guessed = -1 if callee.name else self.callees.guess(call)
        if not (known.targets or known.handed or call.awaited) and guessed < 0 and self.library.is_plain(known.library):
            link = _plain_link(index, known, result)
            if place is not None and self.resolver.is_everywhere(place):
                self._plain[place] = link
            return link
        described = self.callees.describe(callee)
        if guessed >= 0:
            described.targets.append(guessed)
            described.certain = False
        return self._whole_link(function_id, function, index, (callee, result), described)

    def _whole_link(
        self, function_id: int, function: Function, index: int, resolved: tuple[Type, Type], described: Described
    ) -> Link | None:
        callee, result = resolved
        call = function.calls[index]
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
            variables=self._variables(described),
            applied=described.applied,
        )

    def _variables(self, described: Described) -> tuple[tuple[str, str], ...]:
        """How the receiver binds the type variables of the class that a target belongs to, and which entity it is.

        `User.find(1)`, where `find` is a method of a base class of all models, is about users."""
        receiver = described.receiver
        if not described.targets or receiver.name in {"", "super"}:
            return ()
        of = receiver.args[0] if receiver.name == "type" else receiver
        owner = self.resolver.owner(described.targets[0])
        if owner is not None and owner.name != of.name and of.name in self.entities:
            return ((owner.name, of.name),)
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

    def reads_along(self, holder: Type, chain: str) -> tuple[tuple[int, Link], ...]:
        """What reading a chain of attributes of a value does, see `implicit.reads_along`."""
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
    """The plain link of another call of the same."""
    return Link(
        index, link.library, (), (), link.mode, link.runs, link.receiver, link.result, (), link.certain,
        applied=link.applied,
    )  # fmt: skip


def _plain_link(index: int, known: Described, result: Type) -> Link | None:
    """Of a call of which its name says all."""
    if not (known.library or known.runs or result.name):
        return None
    runs = tuple(dict.fromkeys(known.runs))[:MAX_TARGETS] if known.runs else ()
    return Link(
        index, known.library, (), (), known.mode, runs, text_of(known.receiver), text_of(result), (), known.certain,
        applied=known.applied,
    )  # fmt: skip
