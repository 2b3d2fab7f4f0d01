"""Sketches: what all calls of one callee have in common, found once. For most calls that is the whole link but its number."""

from __future__ import annotations

import msgspec

from evenkeel.audit.effects.callees import REMEMBERED, Described
from evenkeel.audit.effects.catalogue import CallSpec
from evenkeel.audit.effects.consequences import LibraryEffects
from evenkeel.audit.effects.handover import Handover
from evenkeel.audit.effects.latest import answers
from evenkeel.audit.effects.types import Type, text_of
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.index import CallMode, Entity, Link

MAX_TARGETS = 8


class Sketch(msgspec.Struct, frozen=True):
    """One callee. The fields from `library` on are those of the links of its calls."""

    described: Described  # to be read only
    spec: CallSpec | None
    settled: bool  # nothing of a link hangs on what the call is given
    gives_awaitable: bool  # to await what it gives may have effects: without effects of its own that has to be asked
    library: str
    targets: tuple[int, ...]
    effects: tuple[Effect, ...]  # of all calls alike, where it is settled
    mode: CallMode
    runs: tuple[int, ...]
    receiver: str
    certain: bool
    bounded: bool
    variables: tuple[tuple[str, str], ...]
    applied: int

    def link(self, index: int, result: Type) -> Link | None:
        """The link of a call of what is settled; None when nothing is known of it."""
        if not (self.library or self.targets or self.runs or result.name):
            return None
        return Link(
            index, self.library, self.targets, self.effects, self.mode, self.runs, self.receiver, text_of(result), (),
            self.certain, "", "", self.bounded, self.variables, self.applied,
        )  # fmt: skip


class Sketches:
    """Makes sketches, for one linker; remembered."""

    def __init__(self, handover: Handover, effects: LibraryEffects, entities: dict[str, Entity]) -> None:
        self._handover = handover
        self._resolver = handover.resolver
        self._library = handover.library
        self._effects = effects
        self._entities = entities
        self._known: dict[Type, Sketch] = answers(REMEMBERED, held=handover.symbols.held)

    def of(self, callee: Type) -> Sketch:
        """What is common to all calls of this."""
        known = self._known.get(callee)
        if known is None:
            known = self._known[callee] = self._made(callee)
        return known

    def _made(self, callee: Type) -> Sketch:
        described = self._handover.callees.known(callee)
        spec = self._library.call(described.library) if described.library else None
        settled = not described.handed and (spec is None or _says_all(spec)) and not self._runs_arguments(described)
        effects = self._effects.of_all(spec, described) if spec is not None and settled else ()
        return Sketch(
            described,
            spec,
            settled,
            self._resolver.gives_awaitable(callee),
            described.library,
            tuple(dict.fromkeys(described.targets))[:MAX_TARGETS] if described.targets else (),
            effects,
            described.mode,
            tuple(dict.fromkeys(described.runs))[:MAX_TARGETS] if described.runs else (),
            text_of(described.receiver),
            described.certain,
            spec is not None and spec.bounded,
            self.variables(described),
            described.applied,
        )

    def _runs_arguments(self, described: Described) -> bool:
        """Whether one of the functions that are called runs what it is given."""
        return any(map(self._handover.runners.of, described.targets))

    def variables(self, described: Described) -> tuple[tuple[str, str], ...]:
        """How the receiver binds the type variables of the class that a target belongs to, and which entity it is.

        `User.find(1)`, where `find` is a method of a base class of all models, is about users."""
        receiver = described.receiver
        if not described.targets or not receiver.name:
            return ()
        of = receiver.args[0] if receiver.name == "type" else receiver
        owner = self._resolver.owner(described.targets[0])
        if owner is not None and owner.name != of.name and of.name in self._entities:
            return ((owner.name, of.name),)
        if owner is None or not self._resolver.type_parameters(owner.name):
            return ()
        base = next((each for each in self._resolver.lineage(of) if each.name == owner.name), None)
        bound = self._resolver.bindings_of(base) if base is not None else {}
        return tuple(
            (name, each.name) for name, each in bound.items() if each.name and not each.name.startswith("var:")
        )


def _says_all(spec: CallSpec) -> bool:
    """Whether what a library call does hangs on nothing that it is given."""
    asked = (spec.statement, spec.key, spec.runs, spec.consumes)
    return (
        all(each < 0 for each in asked)
        and not (spec.named or spec.unless or spec.entity)
        and not any(each.startswith(("db-", "file")) for each in spec.effects)
    )
