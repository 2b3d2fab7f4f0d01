"""Annotations to types: aliases, unions, `Annotated`, type variables, generics, forward references."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from evenkeel.audit.effects.latest import Remembered, answers, latest_answers
from evenkeel.audit.effects.types import (
    ITERATORS,
    MAPPINGS,
    NONE,
    PENDING,
    TRANSPARENT,
    UNKNOWN,
    Type,
    class_object,
    first_known,
    parse_type,
)
from evenkeel.audit.model.facts import END

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver
    from evenkeel.audit.effects.symbols import ClassSymbol

MAX_NESTING = 12
REMEMBERED_ANNOTATIONS = 16_384
TYPE_VARIABLES = frozenset({"typing.TypeVar", "typing_extensions.TypeVar"})
GENERIC_BASES = frozenset({"Generic", "Protocol"})


class Annotations:
    """Resolves annotation texts in the scope of a function. Remembers what it found."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: Remembered[tuple[int, int, str], Type] = latest_answers(
            REMEMBERED_ANNOTATIONS, held=resolver.symbols.held
        )
        self._telling: dict[Type, bool] = answers(REMEMBERED_ANNOTATIONS, held=resolver.symbols.held)
        self._parameters: dict[str, tuple[str, ...]] = {}

    def resolve(self, function_id: int, text: str, depth: int = 0) -> Type:
        """The type an annotation stands for, seen from where the function is defined."""
        place = self._resolver.symbols.places[function_id]
        scope = place.index if self._is_local(function_id) else 0
        key = (place.file, scope, text)
        known = self._known.get(key)
        if known is None:
            self._known[key] = PENDING
            known = self._known[key] = self._resolve(function_id, text, depth)
        return self._resolver.cut() if known is PENDING else known

    def declared(self, function_id: int, text: str, inferred: Callable[[], Type]) -> Type:
        """What an annotation says; where it names a type that nothing is known of (a stub, say), what the value says."""
        found = self.resolve(function_id, text) if text else UNKNOWN
        if self._says_something(found):
            return found
        instead = inferred()
        return instead if self._says_something(instead) or not found.name else found

    def _says_something(self, type_: Type) -> bool:
        known = self._telling.get(type_)
        if known is None:
            known = self._telling[type_] = self._is_known(type_)
        return known

    def _is_known(self, type_: Type) -> bool:
        if not type_.name:
            return False
        if type_.name == "union":
            return any(self._says_something(each) for each in type_.args)
        if ":" in type_.name or type_.name in {"type", "None"}:
            return True
        short = type_.name.rpartition(".")[2]
        return (
            type_.name in self._resolver.symbols.classes
            or self._resolver.library.knows(type_.name)
            or self._resolver.library.has_builtin(type_.name)
            or short in ITERATORS
            or short in MAPPINGS
        )

    def _is_local(self, function_id: int) -> bool:
        symbols = self._resolver.symbols
        return symbols.parents[function_id] > 0 or symbols.owner(function_id) is not None

    def _resolve(self, function_id: int, text: str, depth: int) -> Type:
        head, arguments = parse_type(text)
        if not head or depth > MAX_NESTING:
            return UNKNOWN
        if head == "|":
            return self._union(function_id, arguments, depth)
        short = head.rpartition(".")[2]
        if short in {"Optional", "Union"}:
            return self._union(function_id, arguments, depth)
        if short in TRANSPARENT and arguments:
            return self._transparent(function_id, arguments, depth)
        if short == "Coroutine" and len(arguments) == 3:
            return self.resolve(function_id, arguments[2], depth + 1)
        if short in {"type", "Type"}:
            return class_object(self.resolve(function_id, arguments[0], depth + 1)) if arguments else UNKNOWN
        if short in {"Self", "None", "Any", "object"}:
            return {"Self": Type("var:Self"), "None": NONE}.get(short, UNKNOWN)
        if short in ITERATORS or short in MAPPINGS:
            return Type(short, self._arguments(function_id, arguments, depth))
        return self._named(function_id, head, arguments, depth)

    def _transparent(self, function_id: int, arguments: tuple[str, ...], depth: int) -> Type:
        found = self.resolve(function_id, arguments[0], depth + 1)
        if not found.name and len(arguments) > 1:  # Annotated[Any, Depends(get_x)]
            return self._dependency(function_id, arguments[1])
        return found

    def _dependency(self, function_id: int, text: str) -> Type:
        inner = text.partition("(")[2].rstrip(") ").partition(",")[0].strip()
        if not inner.replace(".", "").replace("_", "").isalnum():
            return UNKNOWN
        return self._resolver.injected(self._resolver.chain(function_id, inner, -1, END))

    def _union(self, function_id: int, arguments: tuple[str, ...], depth: int) -> Type:
        return first_known(tuple(self.resolve(function_id, each, depth + 1) for each in arguments))

    def _arguments(self, function_id: int, arguments: tuple[str, ...], depth: int) -> tuple[Type, ...]:
        return tuple(Type("...") if each == "..." else self.resolve(function_id, each, depth + 1) for each in arguments)

    def _named(self, function_id: int, head: str, arguments: tuple[str, ...], depth: int) -> Type:
        if head in self._variables_in_scope(function_id):
            return Type(f"var:{head}")
        enclosing = (
            self._resolver.enclosing(function_id) if self._resolver.symbols.places[function_id].index else function_id
        )
        alias = self._alias(enclosing, head, depth)
        if alias.name:
            return alias
        found = self._resolver.chain(enclosing, head, -1, END)
        if found.name == "type":
            given = self._arguments(function_id, arguments, depth)
            return Type(found.args[0].name, given) if given else found.args[0]
        kind, _, rest = found.name.partition(":")
        if kind == "lib":
            return Type(rest, self._arguments(function_id, arguments, depth))
        if kind == "var":
            return found
        if kind in {"def", "module", "bound"}:
            return UNKNOWN
        return found

    def _alias(self, function_id: int, name: str, depth: int) -> Type:
        """A module-level alias: `SessionDep = Annotated[Session, Depends(get_session)]`, `T = TypeVar("T")`."""
        resolver = self._resolver
        file, found = self._owner_of_name(function_id, name)
        if file < 0:
            return UNKNOWN
        top = resolver.symbols.first_id[file]
        for binding in reversed(resolver.scope(top).get(found, [])):
            value = getattr(binding.payload, "value", None)
            if value is None:
                continue
            if value.kind == "call":
                return self._made_type(top, value.call, found, depth)
            if value.kind in {"other", "name"} and value.text != name:
                return self.resolve(top, value.text, depth + 1)
        return UNKNOWN

    def _made_type(self, top: int, call: int, name: str, depth: int) -> Type:
        """`TypeVar("T")`, `NewType("UserId", int)`."""
        callee = self._resolver.call(top, call)[0].name.removeprefix("lib:")
        if callee in TYPE_VARIABLES:
            return Type(f"var:{name}")
        arguments = self._resolver.symbols.function(top).calls[call].arguments
        if callee == "typing.NewType" and len(arguments) > 1:
            return self.resolve(top, arguments[1].value.text, depth + 1)
        return UNKNOWN

    def _owner_of_name(self, function_id: int, name: str) -> tuple[int, str]:
        """The file whose top level binds `name`, following imports."""
        symbols = self._resolver.symbols
        file = symbols.places[function_id].file
        for _ in range(MAX_NESTING):
            target = symbols.modules[file].names.get(name)
            if target is None:
                return file, name
            module, _, name = target.rpartition(".")
            if module not in symbols.by_module:
                return -1, ""
            file = symbols.by_module[module]
        return -1, ""

    def type_parameters(self, symbol: ClassSymbol) -> tuple[str, ...]:
        """The type variables of a class, from `Generic[T]`, or in order of appearance in its bases."""
        known = self._parameters.get(symbol.name)
        if known is None:
            self._parameters[symbol.name] = ()
            self._resolver.cuts += 1  # who asks meanwhile hears that there are none
            known = self._parameters[symbol.name] = self._read_parameters(symbol)
        return known

    def _read_parameters(self, symbol: ClassSymbol) -> tuple[str, ...]:
        bases = [parse_type(each) for each in symbol.bases]
        for head, arguments in bases:
            if head.rpartition(".")[2] in GENERIC_BASES and arguments:
                return tuple(each.partition(":")[0].strip() for each in arguments)
        top = self._resolver.symbols.first_id[symbol.place.file]
        names = [each for _, arguments in bases for each in arguments if each.isidentifier()]
        return tuple(dict.fromkeys(each for each in names if self._alias(top, each, 0).name.startswith("var:")))

    def _variables_in_scope(self, function_id: int) -> tuple[str, ...]:
        resolver = self._resolver
        owner = resolver.owner(function_id)
        if owner is None:
            return ()
        return self._parameters.get(owner.name) or self.type_parameters(owner)
