"""Methods that a framework calls for each element of a list: a loop that stands in no file of the project."""

from __future__ import annotations

from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.types import UNKNOWN, Type, class_object
from evenkeel.audit.model.facts import Function

SETTINGS = "Meta"  # the nested class that names a serialiser's model


def is_per_element(resolver: Resolver, function_id: int, function: Function) -> bool:
    """Whether a framework calls a method for each element: `get_total(self, order)` of a serialiser."""
    owner = resolver.owner(function_id) if function.owner >= 0 and len(function.parameters) == 2 else None
    patterns = _patterns(resolver, owner.name) if owner is not None else ()
    return any(function.name == each or (each[-1] == "*" and function.name.startswith(each[:-1])) for each in patterns)


def _patterns(resolver: Resolver, owner: str) -> set[str]:
    """The names that a framework gives such methods of a class; they may end in `*`."""
    bases = (base for each in resolver.lineage(Type(owner)) for base in resolver.library.lineage(each.name))
    return {each for base in bases for each in resolver.library.type_spec(base).element_methods}


def learn_elements(resolver: Resolver) -> None:
    """Tell the resolver what such methods are given: instances of the model that their class names in its `Meta`."""
    symbols = resolver.symbols
    modules = {
        symbols.modules[each.place.file].name for each in symbols.classes.values() if _patterns(resolver, each.name)
    }
    for function_id, place in enumerate(symbols.places):
        if symbols.modules[place.file].name not in modules:
            continue
        function = symbols.function(function_id)
        if function.owner < 0 or not is_per_element(resolver, function_id, function):
            continue
        owner = resolver.owner(function_id)
        model = _model(resolver, owner.name) if owner is not None else UNKNOWN
        if model.name and not function.parameters[1].annotation:
            resolver.given[function_id, 1] = model
            resolver.forget_names()


def _model(resolver: Resolver, owner: str) -> Type:
    for base in resolver.lineage(Type(owner)):
        meta = f"{base.name}.{SETTINGS}"
        if meta in resolver.symbols.classes:
            found = resolver.member(class_object(Type(meta)), "model")
            if found.name == "type":
                return found.args[0]
    return UNKNOWN
