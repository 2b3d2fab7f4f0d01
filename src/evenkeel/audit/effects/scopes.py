"""Scopes: every local name of a function with the places that give it its meaning."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from evenkeel.audit.effects.latest import Remembered, latest_answers
from evenkeel.audit.effects.symbols import REMEMBERED_FUNCTIONS, Symbols
from evenkeel.audit.model.facts import Assignment, Block, Function, Parameter

BINDING_BLOCKS = {"for": "loop", "comprehension": "loop", "with": "with"}


class Binding(msgspec.Struct, frozen=True, gc=False):
    """One place that gives a local name its meaning."""

    position: int
    kind: str  # assign, parameter, loop, with, nested, import
    payload: Assignment | Parameter | Block | int | str
    item: int = -1  # which of several targets


class Scopes:
    """Reads scopes from facts and remembers the latest."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        held = symbols.held
        self._scopes: Remembered[int, dict[str, list[Binding]]] = latest_answers(REMEMBERED_FUNCTIONS, held=held)
        self._local_names: Remembered[int, Collection[str]] = latest_answers(REMEMBERED_FUNCTIONS, held=held)

    def of(self, function_id: int) -> dict[str, list[Binding]]:
        """Every local name of a function with its bindings in evaluation order."""
        known = self._scopes.get(function_id)
        if known is None:
            known = self._scopes[function_id] = self._read_scope(function_id)
        return known

    def local_names(self, function_id: int) -> Collection[str]:
        """The names that a function or one around it binds: all others mean in it what they mean at the top of its file."""
        known = self._local_names.get(function_id)
        if known is None:
            known = self._local_names[function_id] = self._read_local_names(function_id)
        return known

    def _read_local_names(self, function_id: int) -> Collection[str]:
        index = self.symbols.places[function_id].index
        if index == 0:
            return ()
        own, around = self.of(function_id), self.symbols.parents[function_id]
        return own if around <= 0 else own.keys() | self.local_names(function_id - index + around)

    def _read_scope(self, function_id: int) -> dict[str, list[Binding]]:
        place = self.symbols.places[function_id]
        function = self.symbols.function(function_id)
        names: dict[str, list[Binding]] = {}
        for index, parameter in enumerate(function.parameters):
            names.setdefault(parameter.name, []).append(Binding(-1, "parameter", parameter, index))
        for name, target in self.symbols.modules[place.file].local_imports.get(place.index, {}).items():
            names.setdefault(name, []).append(Binding(-1, "import", target))
        _add_bindings(function, names)
        for name in function.globals:
            names.pop(name, None)
        if place.index:
            for name, nested in self.symbols.nested.get(function_id, ()):
                names.setdefault(name, []).append(Binding(-1, "nested", nested))
        for bindings in names.values():
            if len(bindings) > 1:
                bindings.sort(key=lambda each: each.position)
        return names


def _add_bindings(function: Function, names: dict[str, list[Binding]]) -> None:
    """Assignments, loops and `with`."""
    for assignment in function.assignments:
        if assignment.operator in {"=", ":="}:
            for item, target in enumerate(assignment.targets):
                names.setdefault(target, []).append(Binding(assignment.position, "assign", assignment, item))
    for block in function.blocks:
        if block.targets and block.kind in BINDING_BLOCKS:
            kind = BINDING_BLOCKS[block.kind]
            for item, target in enumerate(block.targets):
                names.setdefault(target, []).append(Binding(block.start, kind, block, item))
