"""Members: attributes, elements and entered values of modules, classes and instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evenkeel.audit.effects.latest import answers
from evenkeel.audit.effects.scopes import Binding
from evenkeel.audit.effects.symbols import ClassSymbol
from evenkeel.audit.effects.types import (
    MANAGER,
    NONE,
    SUPER,
    UNKNOWN,
    Type,
    class_object,
    element_of,
    first_known,
    value_of,
)
from evenkeel.audit.model.facts import END

if TYPE_CHECKING:
    from evenkeel.audit.effects.resolve import Resolver

REMEMBERED_DECORATORS = 4_096
PROPERTIES = frozenset({"property", "cached_property", "hybrid_property", "functools.cached_property"})


class Members:
    """Member lookup, asked of one resolver. Methods come back bound to their receiver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        held = resolver.symbols.held
        self._decorators: dict[tuple[int, str], str] = answers(REMEMBERED_DECORATORS, held=held)  # by function around

    def forget_names(self) -> None:
        """Drop what decorators stand for: more is known of parameters or relationships."""
        self._decorators.clear()

    def read(self, holder: Type, attribute: str) -> Type:
        """The value of an attribute: like `member`, but a property gives what it returns."""
        if holder.name == "union":
            return first_known(tuple(self.read(each, attribute) for each in holder.args))
        if attribute == "/":
            return self._resolver.result_of(self.member(holder, "__truediv__"))
        found = self.member(holder, attribute)
        if found.name.startswith("def:") and self.is_property(int(found.name[4:])):
            return self._resolver.returned(int(found.name[4:]), found.args)
        return found

    def is_property(self, function_id: int) -> bool:
        """Whether reading the attribute runs the function."""
        decorators = self._resolver.symbols.function(function_id).decorators
        return any(each.chain in PROPERTIES or each.chain.rpartition(".")[2] in PROPERTIES for each in decorators)

    def member(self, holder: Type, attribute: str) -> Type:
        """Attribute `attribute` of a value, class or module. Methods come back bound to their receiver."""
        kind, _, rest = holder.name.partition(":")
        if kind == "module":
            return self._module_member(rest, attribute)
        if kind == "lib":
            return self._resolver.library.member(rest, attribute)
        if holder.name == "union":
            return first_known(tuple(self.member(each, attribute) for each in holder.args))
        if holder.name == "type":
            return self._class_member(holder.args[0], attribute) if holder.args else UNKNOWN
        if holder.name == "super":
            found = self.found_in(self._resolver.lineage(holder.args[0])[1:], holder.args[0], attribute)
            is_method = found.name.startswith("def:") and len(found.args) == 1
            return Type(found.name, (*found.args, SUPER)) if is_method else found
        if kind == "def":
            return self._decorated_member(int(rest), attribute)
        if kind in {"bound", "var", ""}:
            return UNKNOWN
        return self.found_in(self._resolver.lineage(holder), holder, attribute)

    def _decorated_member(self, function_id: int, attribute: str) -> Type:
        """`task.delay`: a decorator may make a function into something with methods."""
        made = self.decorated(function_id)
        return self.found_in((made,), made, attribute) if made.name else UNKNOWN

    def decorated(self, function_id: int) -> Type:
        """The library type that a decorator makes of a function, beside the function it still is."""
        for each in self._resolver.symbols.function(function_id).decorators:
            spec = self._resolver.library.decorator(self._resolver.decorator(function_id, each.chain))
            if spec is not None and spec.type:
                return Type(spec.type)
        return UNKNOWN

    def decorator(self, function_id: int, chain: str) -> str:
        """The full name of a decorator: a library's dotted name, or a project function's qualified name."""
        key = (self._resolver.enclosing(function_id), chain)
        known = self._decorators.get(key)
        if known is None:
            cuts = self._resolver.cuts
            known = self._find_decorator(*key)
            if cuts == self._resolver.cuts:
                self._decorators[key] = known
        return known

    def _find_decorator(self, enclosing: int, chain: str) -> str:
        found = self._resolver.chain(enclosing, chain, -1, END)
        kind, _, rest = found.name.partition(":")
        if kind in {"lib", "bound"}:
            return rest
        return self._resolver.symbols.qualified(int(rest)) if kind == "def" else chain

    def _module_member(self, module: str, attribute: str) -> Type:
        file = self._resolver.symbols.by_module.get(module)
        found = self._resolver.module_name(file, attribute) if file is not None else UNKNOWN
        return found if found.name else self._resolver.dotted(f"{module}.{attribute}") if file is None else UNKNOWN

    def _class_member(self, of: Type, attribute: str) -> Type:
        if of.name == "union":
            return first_known(tuple(self._class_member(each, attribute) for each in of.args))
        nested = self._resolver.symbols.classes.get(f"{of.name}.{attribute}")
        if nested is not None:
            return class_object(Type(nested.name))
        found = self.found_in(self._resolver.lineage(of), of, attribute)
        if found.name.startswith(("def:", "bound:")):
            return Type(found.name, (class_object(of), *found.args[1:]))
        return found

    def found_in(self, lineage: tuple[Type, ...], receiver: Type, attribute: str) -> Type:
        for base in lineage:
            related = self._resolver.related.get((base.name, attribute)) if receiver.name != "type" else None
            if related is not None:
                return related
            symbol = self._resolver.symbols.classes.get(base.name)
            if symbol is None:
                found = self._resolver.library.bound(base, attribute, receiver)
            else:
                found = self._own_member(symbol, base, receiver, attribute)
            if found.name:
                return found
        return UNKNOWN

    def _own_member(self, symbol: ClassSymbol, base: Type, receiver: Type, attribute: str) -> Type:
        if attribute in symbol.methods:
            return Type(f"def:{symbol.methods[attribute]}", (receiver,))
        body = self._resolver.symbols.body(symbol)
        if attribute in body.attributes:
            found = self._with_declared(self._class_attribute(symbol, attribute), receiver, attribute)
            if found.name:
                return self._resolver.substitute(found, self._resolver.bindings_of(base))
        for function_id, assignment in body.members.get(attribute, ()):
            item = next((i for i, t in enumerate(assignment.targets) if t.rpartition(".")[2] == attribute), 0)
            found = self._resolver.guarded(function_id, Binding(0, "assign", assignment, item))
            if found.name and found != NONE:
                return self._resolver.substitute(found, self._resolver.bindings_of(base))
        return UNKNOWN

    def _with_declared(self, found: Type, receiver: Type, attribute: str) -> Type:
        """What a class gives for an attribute that its library base has as well: `objects = RecipeManager()`.

        The library's says more, `Manager[Recipe]`, of all but the methods that the project's own adds."""
        if found.args or not found.name or ":" in found.name:
            return found
        library = self._resolver.library
        ours = found.name in self._resolver.symbols.classes
        for base in self._resolver.lineage(receiver):
            spec = library.attribute(base, attribute) if base.name not in self._resolver.symbols.classes else None
            if spec is None or not spec.type:
                continue
            declared = library.bound(base, attribute, receiver)
            if ours:
                return Type("union", (declared, found))
            return found if found.name in library.catalogue.types and found.name != declared.name else declared
        return found

    def _class_attribute(self, symbol: ClassSymbol, attribute: str) -> Type:
        module_function = self._resolver.symbols.first_id[symbol.place.file]
        function_id = module_function + symbol.parent
        return self._resolver.guarded(
            function_id, Binding(0, "assign", self._resolver.symbols.body(symbol).attributes[attribute])
        )

    def subscripted(self, holder: Type) -> Type:
        """`holder[key]`."""
        if holder.name == "type":
            return holder
        if holder.name.startswith("lib:"):
            return holder  # `list[int]`, `Depends[...]`: still the same thing
        found = value_of(holder)
        if found.name:
            return found
        method = self.member(holder, "__getitem__")
        return self._resolver.result_of(method) if method.name else UNKNOWN

    def iterated(self, holder: Type) -> Type:
        """What iterating over a value gives."""
        if holder.name == "union":
            return first_known(tuple(self.iterated(each) for each in holder.args))
        found = element_of(holder)
        if found.name:
            return found
        found = self._resolver.library.iterated(holder)
        if found.name:
            return found
        for special in ("__iter__", "__aiter__"):
            method = self.member(holder, special)
            if method.name:
                return element_of(self._resolver.result_of(method))
        return UNKNOWN

    def entered(self, manager: Type) -> Type:
        """What `with manager as x` binds."""
        if manager.name == MANAGER:
            return manager.args[0] if manager.args else UNKNOWN
        if manager.name == "union":
            return first_known(tuple(self.entered(each) for each in manager.args))
        for special in ("__enter__", "__aenter__"):
            method = self.member(manager, special)
            if method.name.startswith("def:"):
                found = self._resolver.result_of(method)
                return found if found.name else manager
        return self._resolver.library.entered(manager, self._resolver.lineage(manager))
