"""Resolution: what does this name, chain or call stand for?

Follows imports, annotations, constructor and factory results, `self.` attributes, dependency injection, context managers,
iteration and generics, across files. Flow is read in evaluation order: a name means its last binding before the place of use.
Nothing here knows a library or a project by name: libraries are data in the catalogue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.effects.annotations import Annotations
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.library import Arguments, Library
from evenkeel.audit.effects.symbols import ClassSymbol, Symbols
from evenkeel.audit.effects.types import (
    NONE,
    UNKNOWN,
    Type,
    class_object,
    element_of,
    first_known,
    value_of,
)
from evenkeel.audit.model.facts import Assignment, Block, Call, Function, Parameter, Value

MAX_DEPTH = 24  # of nested questions; deeper code is not understood, and not worth more time
REMEMBERED_SCOPES = 4_096

GENERATOR_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
PROPERTIES = frozenset({"property", "cached_property", "hybrid_property", "functools.cached_property"})
MANAGER = "contextlib._GeneratorContextManager"
LITERALS = {
    "string": Type("str"),
    "number": Type("int"),
    "list": Type("list"),
    "set": Type("set"),
    "dict": Type("dict"),
    "tuple": Type("tuple"),
    "comprehension": Type("list"),
}


class Binding(NamedTuple):
    """One place that gives a local name its meaning."""

    position: int
    kind: str  # assign, parameter, loop, with, nested, import
    payload: Assignment | Parameter | Block | int | str
    item: int = -1  # which of several targets


class Resolver:
    """Answers for one symbol table and one catalogue. Answers are remembered; the tables are never changed."""

    def __init__(self, symbols: Symbols, catalogue: Catalogue) -> None:
        self.symbols = symbols
        self.library = Library(catalogue)
        self.annotations = Annotations(self)
        self._scopes: OrderedDict[int, dict[str, list[Binding]]] = OrderedDict()
        self._calls: OrderedDict[int, dict[int, tuple[Type, Type]]] = OrderedDict()
        self._returns: dict[int, Type] = {}
        self._members: dict[tuple[str, str], tuple[Type, str, Type] | None] = {}
        self._lineage: dict[str, tuple[Type, ...]] = {}
        self._dotted: dict[str, Type] = {}
        self._module_names: dict[tuple[int, str], Type] = {}
        self._depth = 0

    # -- names ---------------------------------------------------------------------------------------------------

    def dotted(self, target: str) -> Type:
        """An absolute dotted name: a project module, class, function or variable, or something of a library."""
        known = self._dotted.get(target)
        if known is None:
            self._dotted[target] = UNKNOWN  # an import cycle ends here
            known = self._dotted[target] = self._find_dotted(target)
        return known

    def _find_dotted(self, target: str) -> Type:
        if target in self.symbols.by_module or target in self.symbols.packages:
            return Type(f"module:{target}")
        head, _, last = target.rpartition(".")
        if head in self.symbols.by_module:
            return self.module_name(self.symbols.by_module[head], last)
        if head and (head in self.symbols.classes or self._is_ours(head)):
            return self.member(self.dotted(head), last)
        if self._is_ours(target):
            return UNKNOWN
        return Type(f"lib:{self.library.canonical(target)}")

    def _is_ours(self, target: str) -> bool:
        root = target.partition(".")[0]
        return root in self.symbols.packages or root in self.symbols.by_module

    def module_name(self, file: int, name: str) -> Type:
        """A name at the top level of a file."""
        key = (file, name)
        known = self._module_names.get(key)
        if known is None:
            self._module_names[key] = UNKNOWN
            known = self._module_names[key] = self._find_module_name(file, name)
        return known

    def _find_module_name(self, file: int, name: str) -> Type:
        module = self.symbols.modules[file]
        if name in module.classes:
            return class_object(Type(module.classes[name]))
        if name in module.functions:
            return Type(f"def:{module.functions[name]}")
        if name in module.names:
            return self.dotted(module.names[name])
        top = self.symbols.first_id[file]
        if name in self.scope(top):
            return self._bound(top, self.scope(top)[name], 1 << 60)
        submodule = f"{module.name}.{name}"
        if submodule in self.symbols.by_module or submodule in self.symbols.packages:
            return Type(f"module:{submodule}")
        for star in module.stars:
            found = self.member(self.dotted(star), name)
            if found.name:
                return found
        return UNKNOWN

    def name(self, function_id: int, name: str, position: int) -> Type:
        """A bare name as seen at `position` of a function: local, enclosing, module, built-in."""
        place = self.symbols.places[function_id]
        facts = self.symbols.facts(place.file)
        first = self.symbols.first_id[place.file]
        index = place.index
        while index > 0:
            bindings = self.scope(first + index).get(name)
            if bindings:
                return self._bound(first + index, bindings, position)
            position = 1 << 60  # a closure runs later than the code around it
            index = max(facts.functions[index].parent, 0)
        found = self.module_name(place.file, name)
        if found.name:
            return found
        return Type(f"lib:{name}") if self.library.has_builtin(name) else UNKNOWN

    def scope(self, function_id: int) -> dict[str, list[Binding]]:
        """Every local name of a function with its bindings in evaluation order."""
        known = self._scopes.get(function_id)
        if known is None:
            known = self._scopes[function_id] = self._read_scope(function_id)
            if len(self._scopes) > REMEMBERED_SCOPES:
                self._scopes.popitem(last=False)
        return known

    def _read_scope(self, function_id: int) -> dict[str, list[Binding]]:
        place = self.symbols.places[function_id]
        facts = self.symbols.facts(place.file)
        function = facts.functions[place.index]
        names: dict[str, list[Binding]] = {}
        for name, binding in self._bindings(function_id, function):
            names.setdefault(name, []).append(binding)
        for name in function.globals:
            names.pop(name, None)
        if place.index:
            first = self.symbols.first_id[place.file]
            for index, nested in enumerate(facts.functions):
                if nested.parent == place.index and nested.owner < 0 and nested.name != "<lambda>":
                    names.setdefault(nested.name, []).append(Binding(-1, "nested", first + index))
        for bindings in names.values():
            bindings.sort(key=lambda each: each.position)
        return names

    def _bindings(self, function_id: int, function: Function) -> Iterator[tuple[str, Binding]]:
        place = self.symbols.places[function_id]
        for index, parameter in enumerate(function.parameters):
            yield parameter.name, Binding(-1, "parameter", parameter, index)
        for name, target in self.symbols.modules[place.file].local_imports.get(place.index, {}).items():
            yield name, Binding(-1, "import", target)
        for assignment in function.assignments:
            if assignment.operator in {"=", ":="}:
                for item, target in enumerate(assignment.targets):
                    yield target, Binding(assignment.position, "assign", assignment, item)
        for block in function.blocks:
            kind = {"for": "loop", "comprehension": "loop", "with": "with"}.get(block.kind)
            if kind:
                for item, target in enumerate(block.targets):
                    yield target, Binding(block.start, kind, block, item)

    def _bound(self, function_id: int, bindings: list[Binding], position: int) -> Type:
        earlier = [each for each in bindings if each.position < position] or bindings
        for binding in reversed(earlier[-4:]):
            found = self._guarded(function_id, binding)
            if found.name and found != NONE:
                return found
        return UNKNOWN

    def _guarded(self, function_id: int, binding: Binding) -> Type:
        if self._depth > MAX_DEPTH:
            return UNKNOWN
        self._depth += 1
        try:
            return self._binding_type(function_id, binding)
        finally:
            self._depth -= 1

    def _binding_type(self, function_id: int, binding: Binding) -> Type:
        payload = binding.payload
        if isinstance(payload, Parameter):
            return self.parameter_type(function_id, payload, binding.item)
        if isinstance(payload, Assignment):
            return self.assignment_type(function_id, payload, binding.item)
        if isinstance(payload, Block):
            return self._block_target(function_id, payload, binding)
        return Type(f"def:{payload}") if isinstance(payload, int) else self.dotted(payload)

    def _block_target(self, function_id: int, block: Block, binding: Binding) -> Type:
        if block.subject is None:
            return UNKNOWN
        subject = self.value(function_id, block.subject, block.start)
        if binding.kind == "with":
            return self.entered(subject)
        if len(block.targets) == 1:
            return self.iterated(subject)
        return self._unpacked_element(function_id, block, binding.item)

    def _unpacked_element(self, function_id: int, block: Block, item: int) -> Type:
        """`for i, x in enumerate(xs)`, `for k, v in d.items()`, `for a, b in zip(xs, ys)`."""
        subject = block.subject
        if subject is None or subject.kind != "call":
            return UNKNOWN
        call = self.symbols.function(function_id).calls[subject.call]
        short = call.callee.rpartition(".")[2]
        if short == "items":
            holder = self.chain(function_id, call.callee.rpartition(".")[0], call.receiver, call.position)
            return value_of(holder) if item == 1 else element_of(holder)
        if short == "enumerate" and item == 1 and call.arguments:
            return self.iterated(self.value(function_id, call.arguments[0].value, call.position))
        if short == "zip" and item < len(call.arguments):
            return self.iterated(self.value(function_id, call.arguments[item].value, call.position))
        element = self.iterated(self.call(function_id, subject.call)[1])
        return (
            element.args[item]
            if element.name.rpartition(".")[2].lower() == "tuple" and item < len(element.args)
            else UNKNOWN
        )

    def parameter_type(self, function_id: int, parameter: Parameter, index: int) -> Type:
        """A parameter's type: `self`, its annotation, an injected dependency, or its default's type."""
        function = self.symbols.function(function_id)
        if index == 0 and function.owner >= 0 and not any(d.chain == "staticmethod" for d in function.decorators):
            owner = self.owner(function_id)
            if owner is not None:
                instance = Type(owner.name, tuple(Type(f"var:{v}") for v in self.type_parameters(owner.name)))
                makes_class = any(d.chain == "classmethod" for d in function.decorators) or function.name == "__new__"
                return class_object(instance) if makes_class else instance
        if parameter.annotation:
            found = self.annotations.resolve(function_id, parameter.annotation)
            if found.name:
                return found
        if parameter.default is not None:
            return self._default_type(function_id, parameter.default)
        return UNKNOWN

    def _default_type(self, function_id: int, default: Value) -> Type:
        if default.kind != "call":
            return UNKNOWN
        call = self.symbols.function(function_id).calls[default.call] if default.call >= 0 else None
        if call is not None and call.arguments:
            given = call.arguments[0].value
            scope = function_id if given.kind == "call" else self.enclosing(function_id)
            return self.injected(self.value(scope, given, 1 << 60))
        return UNKNOWN

    def injected(self, dependency: Type) -> Type:
        """What a dependency provides: a function's result (a generator's element), or an instance of a class."""
        if dependency.name == "type":
            return dependency.args[0]
        if dependency.name.startswith("def:"):
            function_id = int(dependency.name[4:])
            result = self.returned(function_id, dependency.args)
            if self.symbols.function(function_id).is_generator:
                return element_of(result) if element_of(result).name else result
            return result
        return self._call_instance(dependency)

    def _call_instance(self, instance: Type) -> Type:
        method = self.member(instance, "__call__")
        return self.injected(method) if method.name.startswith("def:") else UNKNOWN

    def enclosing(self, function_id: int) -> int:
        """The function in whose scope a function's defaults and decorators are evaluated."""
        place = self.symbols.places[function_id]
        parent = self.symbols.facts(place.file).functions[place.index].parent
        return self.symbols.first_id[place.file] + max(parent, 0)

    def owner(self, function_id: int) -> ClassSymbol | None:
        """The class a method belongs to."""
        place = self.symbols.places[function_id]
        facts = self.symbols.facts(place.file)
        function = facts.functions[place.index]
        if function.owner < 0:
            return None
        module = self.symbols.modules[place.file]
        return self.symbols.classes.get(f"{module.name}.{facts.classes[function.owner].qualname}")

    def assignment_type(self, function_id: int, assignment: Assignment, item: int) -> Type:
        """What an assignment binds its target number `item` to."""
        if assignment.annotation:
            found = self.annotations.resolve(function_id, assignment.annotation)
            if found.name:
                return found
        value = self.value(function_id, assignment.value, assignment.position)
        if not assignment.unpacked:
            return value
        gathered = self._gathered(function_id, assignment, item)
        if gathered.name:
            return gathered
        if value.name.rpartition(".")[2].lower() == "tuple":
            if len(value.args) == 2 and value.args[1].name == "...":
                return value.args[0]
            return value.args[item] if item < len(value.args) else UNKNOWN
        return UNKNOWN

    def _gathered(self, function_id: int, assignment: Assignment, item: int) -> Type:
        """`a, b = await asyncio.gather(f(), g())`."""
        if assignment.value.kind != "call":
            return UNKNOWN
        call = self.symbols.function(function_id).calls[assignment.value.call]
        if call.callee.rpartition(".")[2] == "gather" and item < len(call.arguments):
            return self.value(function_id, call.arguments[item].value, call.position)
        return UNKNOWN

    # -- expressions ---------------------------------------------------------------------------------------------

    def value(self, function_id: int, value: Value, position: int) -> Type:
        """The type of an expression; UNKNOWN when nothing tells."""
        if value.kind == "call":
            return self.call(function_id, value.call)[1] if value.call >= 0 else UNKNOWN
        if value.kind == "name":
            return self.chain(function_id, value.text, value.call, position)
        if value.kind == "either":
            return self._either(function_id, value, position)
        if value.kind == "lambda" and value.function >= 0:
            place = self.symbols.places[function_id]
            return Type(f"def:{self.symbols.first_id[place.file] + value.function}")
        if value.kind == "constant":
            return NONE if value.text == "None" else Type("bool")
        return LITERALS.get(value.kind, UNKNOWN)

    def _either(self, function_id: int, value: Value, position: int) -> Type:
        if value.call >= 0:
            found = self.call(function_id, value.call)[1]
            if found.name and found != NONE:
                return found
        found = (self.chain(function_id, name, -1, position) for name in value.names[:4])
        return first_known(tuple(each for each in found if ":" not in each.name))

    def chain(self, function_id: int, chain: str, call: int, position: int) -> Type:
        """A dotted chain, root first: `self.repos.users`, `<call>.scalars` with the call it starts from."""
        if self._depth > MAX_DEPTH:
            return UNKNOWN
        segments = chain.split(".")
        self._depth += 1
        try:
            found = self._root(function_id, segments[0], call, position)
            for segment in segments[1:]:
                if not found.name:
                    return UNKNOWN
                found = self._segment(self.read(found, segment.removesuffix("[]")), segment)
        finally:
            self._depth -= 1
        return found

    def _segment(self, found: Type, segment: str) -> Type:
        return self.subscripted(found) if segment.endswith("[]") else found

    def _root(self, function_id: int, segment: str, call: int, position: int) -> Type:
        name = segment.removesuffix("[]")
        if name == "<call>":
            found = self.call(function_id, call)[1] if call >= 0 else UNKNOWN
        elif name == "<str>":
            found = LITERALS["string"]
        elif name.startswith("<"):
            found = UNKNOWN
        else:
            found = self.name(function_id, name, position)
        return self._segment(found, segment)

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
        return self.result_of(method) if method.name else UNKNOWN

    def iterated(self, holder: Type) -> Type:
        """What iterating over a value gives."""
        if holder.name == "union":
            return first_known(tuple(self.iterated(each) for each in holder.args))
        found = element_of(holder)
        if found.name:
            return found
        found = self.library.iterated(holder)
        if found.name:
            return found
        for special in ("__iter__", "__aiter__"):
            method = self.member(holder, special)
            if method.name:
                return element_of(self.result_of(method))
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
                found = self.result_of(method)
                return found if found.name else manager
        return self.library.entered(manager, self.lineage(manager))

    # -- members -------------------------------------------------------------------------------------------------

    def read(self, holder: Type, attribute: str) -> Type:
        """The value of an attribute: like `member`, but a property gives what it returns."""
        found = self.member(holder, attribute)
        if found.name.startswith("def:") and self.is_property(int(found.name[4:])):
            return self.returned(int(found.name[4:]), found.args)
        return found

    def is_property(self, function_id: int) -> bool:
        """Whether reading the attribute runs the function."""
        decorators = self.symbols.function(function_id).decorators
        return any(each.chain in PROPERTIES or each.chain.rpartition(".")[2] in PROPERTIES for each in decorators)

    def member(self, holder: Type, attribute: str) -> Type:
        """Attribute `attribute` of a value, class or module. Methods come back bound to their receiver."""
        kind, _, rest = holder.name.partition(":")
        if kind == "module":
            return self._module_member(rest, attribute)
        if kind == "lib":
            return self.library.member(rest, attribute)
        if holder.name == "union":
            return first_known(tuple(self.member(each, attribute) for each in holder.args))
        if holder.name == "type":
            return self._class_member(holder.args[0], attribute) if holder.args else UNKNOWN
        if holder.name == "super":
            return self._found_in(self.lineage(holder.args[0])[1:], holder.args[0], attribute)
        if kind in {"def", "bound", "var", ""}:
            return UNKNOWN
        return self._found_in(self.lineage(holder), holder, attribute)

    def _module_member(self, module: str, attribute: str) -> Type:
        file = self.symbols.by_module.get(module)
        found = self.module_name(file, attribute) if file is not None else UNKNOWN
        return found if found.name else self.dotted(f"{module}.{attribute}") if file is None else UNKNOWN

    def _class_member(self, of: Type, attribute: str) -> Type:
        if of.name == "union":
            return first_known(tuple(self._class_member(each, attribute) for each in of.args))
        nested = self.symbols.classes.get(f"{of.name}.{attribute}")
        if nested is not None:
            return class_object(Type(nested.name))
        found = self._found_in(self.lineage(of), of, attribute)
        if found.name.startswith(("def:", "bound:")):
            return found._replace(args=(class_object(of), *found.args[1:]))
        return found

    def _found_in(self, lineage: tuple[Type, ...], receiver: Type, attribute: str) -> Type:
        for base in lineage:
            symbol = self.symbols.classes.get(base.name)
            if symbol is None:
                found = self.library.bound(base, attribute, receiver)
            else:
                found = self._own_member(symbol, base, receiver, attribute)
            if found.name:
                return found
        return UNKNOWN

    def _own_member(self, symbol: ClassSymbol, base: Type, receiver: Type, attribute: str) -> Type:
        if attribute in symbol.methods:
            return Type(f"def:{symbol.methods[attribute]}", (receiver,))
        if attribute in symbol.attributes:
            found = self._class_attribute(symbol, attribute)
            if found.name:
                return self.substitute(found, self.bindings_of(base))
        for function_id, assignment in symbol.members.get(attribute, ())[:4]:
            item = next((i for i, t in enumerate(assignment.targets) if t.rpartition(".")[2] == attribute), 0)
            found = self._guarded(function_id, Binding(0, "assign", assignment, item))
            if found.name and found != NONE:
                return self.substitute(found, self.bindings_of(base))
        return UNKNOWN

    def _class_attribute(self, symbol: ClassSymbol, attribute: str) -> Type:
        module_function = self.symbols.first_id[symbol.place.file]
        function_id = module_function + max(self.symbols.class_facts(symbol).parent, 0)
        return self._guarded(function_id, Binding(0, "assign", symbol.attributes[attribute]))

    def lineage(self, of: Type) -> tuple[Type, ...]:
        """The class and its bases, nearest first, with type arguments carried along."""
        symbol = self.symbols.classes.get(of.name)
        if symbol is None:
            return (of,)
        known = self._lineage.get(of.name)
        if known is None:
            self._lineage[of.name] = (Type(of.name),)  # a cycle ends here
            known = self._lineage[of.name] = self._read_lineage(symbol)
        if not of.args:
            return known
        mapping = dict(zip(self.type_parameters(of.name), of.args, strict=False))
        return (of, *(self.substitute(base, mapping) for base in known[1:]))

    def _read_lineage(self, symbol: ClassSymbol) -> tuple[Type, ...]:
        own = Type(symbol.name, tuple(Type(f"var:{each}") for each in self.type_parameters(symbol.name)))
        found = [own]
        function_id = self.symbols.first_id[symbol.place.file] + max(self.symbols.class_facts(symbol).parent, 0)
        for text in self.symbols.class_facts(symbol).bases:
            base = self.annotations.resolve(function_id, text)
            if base.name and base.name != symbol.name:
                found.extend(each for each in self.lineage(base) if each.name not in {f.name for f in found})
        return tuple(found)

    def type_parameters(self, class_name: str) -> tuple[str, ...]:
        """The names of a class's type variables, in order."""
        symbol = self.symbols.classes.get(class_name)
        return self.annotations.type_parameters(symbol) if symbol is not None else ()

    def bindings_of(self, of: Type) -> dict[str, Type]:
        """Type variable -> type, for one entry of a lineage."""
        return dict(zip(self.type_parameters(of.name), of.args, strict=False))

    def substitute(self, type_: Type, mapping: dict[str, Type]) -> Type:
        """Replace type variables."""
        if type_.name.startswith("var:"):
            return mapping.get(type_.name[4:], type_)
        if not type_.args or not mapping:
            return type_
        return Type(type_.name, tuple(self.substitute(each, mapping) for each in type_.args))

    # -- calls ---------------------------------------------------------------------------------------------------

    def call(self, function_id: int, index: int) -> tuple[Type, Type]:
        """What call number `index` of a function calls, and the type of its result."""
        calls = self._calls.get(function_id)
        if calls is None:
            calls = self._calls[function_id] = {}
            if len(self._calls) > REMEMBERED_SCOPES:
                self._calls.popitem(last=False)
        known = calls.get(index)
        if known is None:
            calls[index] = (UNKNOWN, UNKNOWN)
            known = calls[index] = self._resolve_call(function_id, self.symbols.function(function_id).calls[index])
        return known

    def _resolve_call(self, function_id: int, call: Call) -> tuple[Type, Type]:
        if call.callee == "super":
            owner = self._method_owner(function_id)
            return UNKNOWN, Type("super", (Type(owner.name),)) if owner else UNKNOWN
        callee = self.chain(function_id, call.callee, call.receiver, call.position)
        if not callee.name and "." in call.callee:
            callee = self.conventional(function_id, call)
        return callee, self.result_of(callee, function_id, call)

    def _method_owner(self, function_id: int) -> ClassSymbol | None:
        place = self.symbols.places[function_id]
        first = self.symbols.first_id[place.file]
        while place.index > 0:
            owner = self.owner(function_id)
            if owner is not None:
                return owner
            function_id = first + max(self.symbols.function(function_id).parent, 0)
            place = self.symbols.places[function_id]
        return None

    def conventional(self, function_id: int, call: Call) -> Type:
        """A receiver that nothing types is taken for what its name stands for, where the project uses that library."""
        holder, _, method = call.callee.rpartition(".")
        name = holder.rpartition(".")[2].removesuffix("[]")
        if name.startswith("<"):
            return UNKNOWN
        found = self.library.conventional(name, method, self.symbols.imported, awaited=call.awaited)
        return Type(f"bound:{found}.{method}", (Type(found), Type("?"))) if found else UNKNOWN

    def result_of(self, callee: Type, function_id: int = -1, call: Call | None = None) -> Type:
        """The type of the result of calling `callee`."""
        if callee.name == "type":
            return self._constructed(callee.args[0]) if callee.args else UNKNOWN
        if callee.name == "union":
            return first_known(tuple(self.result_of(each, function_id, call) for each in callee.args))
        if callee.name == "offloaded":
            return self.result_of(callee.args[0])
        kind, _, rest = callee.name.partition(":")
        if kind == "def":
            found = self.returned(int(rest), callee.args)
            return self._with_arguments(int(rest), found, function_id, call)
        if kind in {"lib", "bound"}:
            return self._library_result(rest, callee.args, function_id, call)
        if kind in {"module", "var", ""}:
            return UNKNOWN
        return self._called_instance(callee, function_id, call)

    def _constructed(self, of: Type) -> Type:
        parameters = self.type_parameters(of.name)
        if parameters and not of.args:
            return Type(of.name)
        return of

    def _called_instance(self, instance: Type, function_id: int, call: Call | None) -> Type:
        method = self.member(instance, "__call__")
        return self.result_of(method, function_id, call) if method.name else UNKNOWN

    def _library_result(self, name: str, bound_to: tuple[Type, ...], function_id: int, call: Call | None) -> Type:
        if call is None:
            return self.library.result(name, bound_to, None)
        spec = self.library.call(name)
        wrapped = self.library.argument(call, spec.wraps, spec) if spec.wraps >= 0 else None
        if wrapped is not None:
            return Type("offloaded", (self.value(function_id, wrapped, call.position),))

        def type_of(value: Value) -> Type:
            return self.value(function_id, value, call.position)

        arguments = Arguments(
            call, type_of, lambda value: self.result_of(type_of(value)), lambda value: self.iterated(type_of(value))
        )
        return self.library.result(name, bound_to, arguments)

    def returned(self, function_id: int, bound_to: tuple[Type, ...] = ()) -> Type:
        """What calling a project function gives, generators and context managers included."""
        known = self._returns.get(function_id)
        if known is None:
            if self._depth > MAX_DEPTH:
                return UNKNOWN
            self._returns[function_id] = UNKNOWN  # recursion ends here
            self._depth += 1
            try:
                known = self._returns[function_id] = self._read_return(function_id)
            finally:
                self._depth -= 1
        if bound_to:
            known = self._as_seen_by(known, function_id, bound_to[0])
        return known

    def _as_seen_by(self, result: Type, function_id: int, receiver: Type) -> Type:
        if receiver.name == "type":
            receiver = receiver.args[0]
        if result.name == "self":
            return receiver
        owner = self.owner(function_id)
        if owner is None or not result.name:
            return result
        base = next((each for each in self.lineage(receiver) if each.name == owner.name), None)
        mapping = self.bindings_of(base) if base is not None else {}
        mapping["Self"] = receiver
        return self.substitute(result, mapping)

    def _read_return(self, function_id: int) -> Type:
        function = self.symbols.function(function_id)
        manager = any(self.decorator(function_id, each.chain) in GENERATOR_MANAGERS for each in function.decorators)
        found = self.annotations.resolve(function_id, function.returns) if function.returns else UNKNOWN
        if not found.name:
            found = self._inferred_return(function_id, function)
        if manager:
            return Type(MANAGER, (element_of(found) if element_of(found).name else found,))
        return found

    def decorator(self, function_id: int, chain: str) -> str:
        """The full name of a decorator: a library's dotted name, or a project function's qualified name."""
        found = self.chain(self.enclosing(function_id), chain, -1, 1 << 60)
        kind, _, rest = found.name.partition(":")
        if kind in {"lib", "bound"}:
            return rest
        if kind == "def":
            return self.symbols.qualified(int(rest))
        return chain

    def _inferred_return(self, function_id: int, function: Function) -> Type:
        wanted = {"yield"} if function.is_generator else {"return"}
        values = [each for each in function.exits if each.kind in wanted][:6]
        found = first_known(tuple(self.value(function_id, each.value, each.position) for each in values))
        if function.is_generator and found.name:
            return Type("Iterator", (found,))
        return found

    def _with_arguments(self, target: int, result: Type, function_id: int, call: Call | None) -> Type:
        """Bind a function's own type variables from the arguments: `get(model: type[T]) -> T`."""
        if call is None or "var:" not in str(result):
            return result
        mapping: dict[str, Type] = {}
        parameters = [each for each in self.symbols.function(target).parameters if each.name not in {"self", "cls"}]
        for position, argument in enumerate(call.arguments):
            if argument.keyword in {"*", "**"}:
                break
            named = [each for each in parameters if each.name == argument.keyword]
            parameter = named[0] if named else parameters[position] if position < len(parameters) else None
            if parameter is not None and parameter.annotation:
                declared = self.annotations.resolve(target, parameter.annotation)
                self._match(declared, self.value(function_id, argument.value, call.position), mapping)
        return self.substitute(result, mapping)

    def _match(self, declared: Type, given: Type, mapping: dict[str, Type]) -> None:
        if declared.name.startswith("var:"):
            mapping.setdefault(declared.name[4:], given)
        elif declared.name == given.name:
            for left, right in zip(declared.args, given.args, strict=False):
                self._match(left, right, mapping)
