"""Type variables and classes in types: found, bound and replaced. Pure functions."""

from __future__ import annotations

from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import Function


def has_variables(of: Type) -> bool:
    """Whether a type hangs on type variables that nothing has bound."""
    return of.name.startswith("var:") or any(map(has_variables, of.args))


def bind(declared: Type, given: Type, mapping: dict[str, Type]) -> None:
    """Note what the variables of a declared type stand for, where a value of type `given` is passed."""
    if declared.name.startswith("var:"):
        mapping.setdefault(declared.name[4:], given)
    elif declared.name == given.name:
        for left, right in zip(declared.args, given.args, strict=False):
            bind(left, right, mapping)


def replaced(type_: Type, name: str, by: Type) -> Type:
    """The type with another in place of the class of that name."""
    if type_.name == name:
        return by
    return Type(type_.name, tuple(replaced(each, name, by) for each in type_.args))


def gives_own_kind(function: Function) -> bool:
    """Whether what a method gives is of the class it is called on, not of the one that defines it."""
    if function.returns:
        return False
    own = {function.parameters[0].name} if function.parameters else set()
    return any(each.chain == "classmethod" for each in function.decorators) or all(
        each.value.text in own for each in function.exits if each.kind == "return"
    )
