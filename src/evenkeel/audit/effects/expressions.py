"""Type expressions of the catalogue, evaluated: `list[$T]` of a receiver, `$0` of the arguments of a call. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from evenkeel.audit.effects.catalogue import Catalogue, TypeExpression, parse_type
from evenkeel.audit.effects.types import UNKNOWN, Type
from evenkeel.audit.model.facts import Call, Value

_ARGUMENT = re.compile(r"\$(?:keyword:|[re]?\d)")


class Arguments(NamedTuple):
    """The arguments of the call that is asked about: a value's type, what it returns when called, its elements."""

    call: Call
    type_of: Callable[[Value], Type]
    returned_by: Callable[[Value], Type]
    element_of: Callable[[Value], Type]


class Expressions:
    """Evaluates the type expressions of one catalogue."""

    def __init__(self, catalogue: Catalogue, selected: Callable[[Type], Type]) -> None:
        """`selected`: query -> what it selects."""
        self._catalogue = catalogue
        self._selected = selected
        self._constant: dict[str, Type] = {}  # expressions that hang on nothing: as many as the catalogue has

    def evaluate(
        self, text: str, receiver: Type, base_args: tuple[Type, ...], arguments: Arguments | None = None
    ) -> Type:
        """The type that an expression stands for, of a receiver whose library type has these arguments."""
        if "$" in text:
            return self._expression(parse_type(text), receiver, base_args, arguments)
        known = self._constant.get(text)
        if known is None:
            known = self._constant[text] = self._expression(parse_type(text), receiver, base_args, arguments)
        return known

    def _expression(
        self, expression: TypeExpression, receiver: Type, base_args: tuple[Type, ...], arguments: Arguments | None
    ) -> Type:
        if expression.name == "|":
            found = (self._expression(each, receiver, base_args, arguments) for each in expression.arguments)
            return next((each for each in found if each.name and not each.name.startswith("var:")), UNKNOWN)
        if expression.name.startswith("$"):
            return self._placeholder(expression.name[1:], receiver, base_args, arguments)
        args = tuple(self._expression(each, receiver, base_args, arguments) for each in expression.arguments)
        if expression.name == "type" and not (args and args[0].name):
            return UNKNOWN
        return Type(expression.name, args if any(each.name for each in args) else ())

    def _placeholder(self, name: str, receiver: Type, base_args: tuple[Type, ...], arguments: Arguments | None) -> Type:
        if name == "self":
            return receiver
        if name == "class":
            return receiver.args[0] if receiver.name == "type" else receiver
        if name in {"T", "U"}:
            index = 0 if name == "T" else 1
            return base_args[index] if index < len(base_args) else UNKNOWN
        return self._from_argument(name, arguments) if arguments is not None else UNKNOWN

    def _from_argument(self, name: str, arguments: Arguments) -> Type:
        if name.startswith("keyword:"):
            value = keyword(arguments.call, name.removeprefix("keyword:"))
            return self._instance(arguments.type_of(value)) if value is not None else UNKNOWN
        positional = [each.value for each in arguments.call.arguments if each.keyword != "**"]
        index = int(name.lstrip("re"))
        if index >= len(positional):
            return UNKNOWN
        if name.startswith("r"):
            return arguments.returned_by(positional[index])
        if name.startswith("e"):
            return arguments.element_of(positional[index])
        return self._selected(self._instance(arguments.type_of(positional[index])))

    def _instance(self, given: Type) -> Type:
        """What a value of a class's own type makes: a class of the project, or one that the catalogue knows."""
        if given.name == "type":
            return given.args[0]
        kind, _, name = given.name.partition(":")
        known = Type(name) if kind == "lib" and name in self._catalogue.types else UNKNOWN
        return known if kind in {"lib", "def", "bound", "module"} else given


@lru_cache(maxsize=4_096)
def asks_arguments(text: str) -> bool:
    """Whether a type expression names arguments of the call."""
    return _ARGUMENT.search(text) is not None


def keyword(call: Call, name: str) -> Value | None:
    """The argument passed under that name."""
    return next((each.value for each in call.arguments if each.keyword == name), None)
