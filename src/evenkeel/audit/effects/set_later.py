"""Names of a module's top level that start as None and are set by a function: `global engine; engine = create_engine(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.effects.scopes import Binding
from evenkeel.audit.effects.types import UNKNOWN, Type
from evenkeel.audit.model.facts import END, Assignment

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

MOST_FUNCTIONS = 200  # of one file that are looked through


def starts_empty(bindings: list[Binding]) -> bool:
    """Whether a name is bound to None alone."""
    return all(isinstance(each.payload, Assignment) and each.payload.value.text == "None" for each in bindings)


def set_later(resolver: Resolver, file: int, name: str) -> Type:
    """What the first function of the file that declares the name global binds it to; UNKNOWN when none does."""
    symbols = resolver.symbols
    first = symbols.first_id[file]
    for function_id in range(first + 1, min(first + MOST_FUNCTIONS, len(symbols.places))):
        if symbols.places[function_id].file != file:
            break
        function = symbols.function(function_id)
        if name not in function.globals:
            continue
        given = [each for each in function.assignments if each.targets == (name,)]
        found = resolver.bound(function_id, [Binding(each.position, "assign", each, 0) for each in given], END)
        if found.name:
            return found
    return UNKNOWN
