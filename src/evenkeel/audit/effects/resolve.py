"""Resolution: what does this name, chain or call stand for?

Follows imports, annotations, constructor and factory results, `self.` attributes, dependency injection, context
managers, iteration and generics, across files. Flow is read in evaluation order: a name means its last binding before
the place of use. Nothing here knows a library or a project by name: libraries are data in the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenkeel.audit.effects.annotations import Annotations
from evenkeel.audit.effects.bindings import MAX_DEPTH, Bindings
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.elements import element_type, mapped_type
from evenkeel.audit.effects.kept import Kept
from evenkeel.audit.effects.latest import Remembered, answers, latest_answers
from evenkeel.audit.effects.library import Library
from evenkeel.audit.effects.lineages import Lineages
from evenkeel.audit.effects.members import Members
from evenkeel.audit.effects.results import Results
from evenkeel.audit.effects.scopes import Binding, Scopes
from evenkeel.audit.effects.set_later import set_later, starts_empty
from evenkeel.audit.effects.symbols import Place, Symbols
from evenkeel.audit.effects.types import LITERALS, NONE, PENDING, UNKNOWN, Type, class_object, first_known
from evenkeel.audit.model.facts import END, Value

REMEMBERED_NAMES = 16_384
ANY = Type("Any")
COLLECTIONS = frozenset({"list", "set", "comprehension"})


class Resolver:
    """Answers for one symbol table and one catalogue. Answers are remembered; the tables are never changed.

    The questions are answered by five colleagues who ask one another through this object."""

    def __init__(self, symbols: Symbols, catalogue: Catalogue, statements: Mapping[str, str]) -> None:
        """`statements`: SQL that stands in files, by name."""
        self.symbols = symbols
        self.statements = statements
        self.library = Library(catalogue)
        self.annotations = Annotations(self)
        self.related: dict[tuple[str, str], Type] = {}  # (entity, relationship) -> what reading it gives
        self.given: dict[tuple[int, int], Type] = {}  # (function, parameter) -> what all callers pass
        self.nesting = 0  # questions being answered right now; bounded by MAX_DEPTH
        self.cuts = 0  # questions that went in a circle or too deep: what hung on them is asked anew
        scopes = Scopes(symbols)
        self.scope, self.local_names = scopes.of, scopes.local_names
        bindings, members, lineages, results = Bindings(self), Members(self), Lineages(self), Results(self)
        self.bound, self.guarded, self.injected = bindings.bound, bindings.guarded, bindings.injected
        self.member, self.read, self.is_property = members.member, members.read, members.is_property
        self.decorated, self.decorator, self._members = members.decorated, members.decorator, members
        self.subscripted, self.iterated, self.entered = members.subscripted, members.iterated, members.entered
        self.lineage, self.type_parameters = lineages.lineage, lineages.type_parameters
        self.bindings_of, self.substitute = lineages.bindings_of, lineages.substitute
        self.call, self.result_of, self.returned = results.call, results.result_of, results.returned
        self.call_at = results.call_at
        self.gives_awaitable = results.gives_awaitable
        self._results = results
        self.owner = symbols.owner
        self.kept, self._keeps = Kept(self), bool(symbols.kept)
        most, held = REMEMBERED_NAMES, symbols.held
        self._dotted: Remembered[str, Type] = latest_answers(most, held=held)
        self._module_names: Remembered[tuple[int, str], Type] = latest_answers(most, held=held)
        self._names: dict[tuple[int, str], Type] = answers(most, held=held)  # those that mean the same everywhere
        self._bound: dict[tuple[int, str, int], Type] = answers(most, held=held)  # name after so many of its bindings
        self._walks: dict[tuple[Type, str], Type] = answers(most, held=held)  # where a chain leads from a type

    def forget(self) -> None:
        """Drop what was answered before callers were asked what they pass."""
        self._results.forget()
        self.forget_names()

    def forget_names(self) -> None:
        """Drop what names and chains mean: more is known of parameters or relationships."""
        self._names.clear()
        self._bound.clear()
        self._members.forget_names()
        self._walks.clear()
        self._results.forget_names()

    def dotted(self, target: str) -> Type:
        """An absolute dotted name: a project module, class, function or variable, or something of a library."""
        known = self._dotted.get(target)
        if known is None:
            self._dotted[target] = PENDING  # an import cycle ends here
            known = self._dotted[target] = self._find_dotted(target)
        return self.cut() if known is PENDING else known

    def cut(self) -> Type:
        """The answer to a question that goes in a circle or too deep."""
        self.cuts += 1
        return UNKNOWN

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
            self._module_names[key] = PENDING
            known = self._module_names[key] = self._find_module_name(file, name)
        return self.cut() if known is PENDING else known

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
            bindings = self.scope(top)[name]
            found = self.bound(top, bindings, END)
            return found if found.name or not starts_empty(bindings) else set_later(self, file, name)
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
        key = (function_id, name)
        known = self._names.get(key)
        if known is not None:
            return known
        place, cuts = self.symbols.places[function_id], self.cuts
        bindings = self.scope(function_id).get(name, ()) if place.index else ()
        if len(bindings) > 1:
            return self._bound_before(function_id, name, bindings, position)
        found = self.bound(function_id, bindings, position) if bindings else self._find_name(function_id, name, place)
        if cuts == self.cuts:
            self._names[key] = found
        return found

    def is_fixed(self, function_id: int, name: str) -> bool:
        """Whether a name of a function is known to mean the same at all positions."""
        return (function_id, name) in self._names

    def _find_name(self, function_id: int, name: str, place: Place) -> Type:
        """What a name means that a function itself does not bind."""
        first, parents = function_id - place.index, self.symbols.parents
        index = parents[function_id]
        while index > 0:
            bindings = self.scope(first + index).get(name)
            if bindings:
                return self.bound(first + index, bindings, END)  # a closure runs later than the code around it
            index = parents[first + index]
        return self._find_global(place.file, name)

    def _find_global(self, file: int, name: str) -> Type:
        found = self.module_name(file, name)
        if found.name:
            return found
        return Type(f"lib:{name}") if self.library.has_builtin(name) else UNKNOWN

    def _bound_before(self, function_id: int, name: str, bindings: Sequence[Binding], position: int) -> Type:
        """What one of several bindings of a name gives it at a position: the same until the next one."""
        key = (function_id, name, len([each for each in bindings if each.position < position]))
        known = self._bound.get(key)
        if known is None:
            cuts = self.cuts
            known = self.bound(function_id, bindings, position)
            if cuts == self.cuts:
                self._bound[key] = known
        return known

    def enclosing(self, function_id: int) -> int:
        """The function in whose scope a function's defaults and decorators are evaluated."""
        place = self.symbols.places[function_id]
        return self.symbols.first_id[place.file] + max(self.symbols.parents[function_id], 0)

    def value(self, function_id: int, value: Value, position: int) -> Type:
        """The type of an expression; UNKNOWN when nothing tells."""
        if value.kind == "call":
            return self.call(function_id, value.call)[1] if value.call >= 0 else UNKNOWN
        if value.kind == "name":
            text = value.text.removesuffix("[]") if value.size >= 0 else value.text  # a slice is of the same type
            keys = _last_key(value) if value.names and value.text[-1:] == "]" else ()
            found = self.chain(function_id, text, value.call, position, keys)
            return self.library.awaited(found) if value.awaited else found
        if value.kind == "either":
            return self._either(function_id, value, position)
        if value.kind == "lambda" and value.function >= 0:
            place = self.symbols.places[function_id]
            return Type(f"def:{self.symbols.first_id[place.file] + value.function}")
        if value.kind == "tuple" and value.size == len(value.names) and "(" not in value.text.strip("() "):
            return Type("tuple", tuple(self.chain(function_id, each, -1, position) for each in value.names))
        if value.kind == "constant":
            return NONE if value.text == "None" else Type("bool")
        if value.kind == "comprehension" and value.text[:1] == "{":
            mapped = mapped_type(self, function_id, value, position)
            if mapped.name:
                return Type("dict", (ANY, mapped))
        if value.kind in COLLECTIONS:
            element = element_type(self, function_id, value, position)
            return Type(LITERALS[value.kind].name, (element,)) if element.name else LITERALS[value.kind]
        return LITERALS.get(value.kind, UNKNOWN)

    def _either(self, function_id: int, value: Value, position: int) -> Type:
        if value.call >= 0:
            found = self.call(function_id, value.call)[1]
            if found.name and found != NONE:
                return found
        others = (self.chain(function_id, name, -1, position) for name in value.names[:4])
        return first_known(tuple(each for each in others if ":" not in each.name))

    def chain(self, function_id: int, chain: str, call: int, position: int, keys: tuple[str, ...] = ()) -> Type:
        """A dotted chain, root first: `self.repos.users`, `<call>.scalars` with the call it starts from. `keys`: what stands
        in its subscripts."""
        if self.nesting > MAX_DEPTH:
            return self.cut()
        root, dot, rest = chain.partition(".")
        concerned = self._keeps and ("." in chain or bool(keys)) and self.kept.concerns(chain, keys)
        known = None if concerned or root[-1:] == "]" else self._names.get((function_id, root))
        if known is not None and dot:
            known = self._walks.get((known, rest)) if known.name else UNKNOWN
        if known is not None:
            return known
        self.nesting += 1
        try:
            if concerned:
                return self.kept.chain(function_id, chain, call, position, keys)
            found = self.root(function_id, root, call, position)
            return self.walk(found, rest) if dot else found
        finally:
            self.nesting -= 1

    def walk(self, holder: Type, chain: str) -> Type:
        """Where a chain of attributes leads from a value of type `holder`."""
        if not holder.name:
            return UNKNOWN
        key = (holder, chain)
        known = self._walks.get(key)
        if known is None:
            cuts = self.cuts
            known = holder
            for segment in chain.split("."):
                known = self.segment(self.read(known, segment.partition("[")[0]), segment)
                if not known.name:
                    known = UNKNOWN
                    break
            if cuts == self.cuts:
                self._walks[key] = known
        return known

    def segment(self, found: Type, segment: str) -> Type:
        for _ in range(segment.count("[]")):
            found = self.subscripted(found)
        return found

    def root(self, function_id: int, segment: str, call: int, position: int) -> Type:
        """The first segment of a chain."""
        name, bracket, _ = segment.partition("[")
        if not bracket and name[:1] != "<":
            return self.name(function_id, name, position)
        if name == "<call>":
            found = self.call(function_id, call)[1] if call >= 0 else UNKNOWN
        elif name == "<str>":
            found = LITERALS["string"]
        elif name.startswith("<"):
            found = UNKNOWN
        else:
            found = self.name(function_id, name, position)
        return self.segment(found, segment)


def _last_key(value: Value) -> tuple[str, ...]:
    """The literal key of an element `app["db"]`, whose chain has no other subscript."""
    key = value.names[-1] if value.names and value.text.endswith("[]") and value.text.count("[]") == 1 else ""
    return (key,) if key.startswith("'") else ()
