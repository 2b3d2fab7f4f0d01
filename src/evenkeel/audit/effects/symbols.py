"""The symbol table: what each file defines, light enough to hold for a million lines.

Facts stay encoded and are decoded on demand through a bounded cache, so a large code base does not have to fit in memory
twice. A symbol is a name and a place; everything else is looked up in the facts when it is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern

import msgspec

from evenkeel.audit.model.facts import Assignment, FileFacts, Function
from evenkeel.audit.model.packing import unpack
from evenkeel.audit.model.tables import Blobs

DECODED_FILES = 192  # about 40 MB of dense code; more costs memory, fewer costs decoding again

PASSES = 4  # over all files, each decoding a file once: more often means that other files ask for it
PINNED_FILES = 256  # base classes and constants that everyone imports

_decode = msgspec.msgpack.Decoder(FileFacts).decode


@dataclass(frozen=True, slots=True)
class Place:
    """Function or class number `index` of file number `file`."""

    file: int
    index: int


@dataclass(slots=True)
class ClassSymbol:
    """A class of the project."""

    name: str  # qualified: module and qualname
    place: Place
    parent: int  # index of the function around it, 0 for the module
    bases: tuple[str, ...]
    line: int
    methods: dict[str, int]  # name -> function id
    attributes: dict[str, Assignment]  # class body
    members: dict[str, list[tuple[int, Assignment]]]  # `self.x = ...`: (function id, assignment)


@dataclass(slots=True)
class Module:
    """A file's names."""

    file: int
    name: str
    path: str
    kind: str
    names: dict[str, str] = field(default_factory=dict)  # imported name -> dotted target
    stars: list[str] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)  # top level: name -> function id
    classes: dict[str, str] = field(default_factory=dict)  # top level: name -> qualified name
    local_imports: dict[int, dict[str, str]] = field(default_factory=dict)  # function index -> names


class Symbols:
    """Every module, class and function of the audited tree. Built once, then only read."""

    def __init__(self, kinds: Iterable[str], facts: Blobs) -> None:
        """Kind and facts (encoded and packed FileFacts) of each file, in a stable order."""
        self.encoded = facts
        self.modules: list[Module] = []
        self.by_module: dict[str, int] = {}
        self.classes: dict[str, ClassSymbol] = {}
        self.places: list[Place] = []  # function id -> place
        self.first_id: list[int] = []  # file -> id of its function number 0
        self.packages: set[str] = set()
        self.imported: set[str] = set()  # top-level packages that anyone imports
        self._decoded: OrderedDict[int, FileFacts] = OrderedDict()
        self._pinned: dict[int, FileFacts] = {}
        self._times: list[int] = []  # file -> how often it was decoded
        for file, kind in enumerate(kinds):
            self._add(file, kind)

    def forget(self) -> None:
        """Let go of decoded facts: those that are asked for again are decoded again."""
        self._decoded.clear()
        self._pinned.clear()

    def facts(self, file: int) -> FileFacts:
        """The facts of file number `file`. Files that are asked for again and again stay decoded; of the others, the latest."""
        facts = self._pinned.get(file) or self._decoded.get(file)
        return facts if facts is not None else self._decode(file)

    def _decode(self, file: int) -> FileFacts:
        facts = _decode(unpack(self.encoded[file]))
        self._times[file] += 1
        if self._times[file] > PASSES and len(self._pinned) < PINNED_FILES:
            self._pinned[file] = facts
            return facts
        self._decoded[file] = facts
        if len(self._decoded) > DECODED_FILES:
            self._decoded.popitem(last=False)
        return facts

    def function(self, function_id: int) -> Function:
        """The facts of one function."""
        place = self.places[function_id]
        return self.facts(place.file).functions[place.index]

    def module_of(self, function_id: int) -> Module:
        """The module a function is defined in."""
        return self.modules[self.places[function_id].file]

    def qualified(self, function_id: int) -> str:
        """`app.jobs.Runner.start`; `app.jobs` for a module's own code."""
        place = self.places[function_id]
        name = self.facts(place.file).functions[place.index].qualname
        module = self.modules[place.file].name
        return module if place.index == 0 else f"{module}.{name}"

    def _add(self, file: int, kind: str) -> None:
        facts = _decode(unpack(self.encoded[file]))
        self._times.append(0)
        if len(self._decoded) < DECODED_FILES:
            self._decoded[file] = facts
        module = Module(file, facts.module or facts.path, facts.path, kind)
        self.modules.append(module)
        self.by_module.setdefault(module.name, file)
        self._add_packages(module.name)
        first = len(self.places)
        self.first_id.append(first)
        self.places.extend(Place(file, index) for index in range(len(facts.functions)))
        self._add_imports(module, facts)
        self._add_definitions(module, facts, first)

    def _add_packages(self, name: str) -> None:
        while "." in name:
            name = name.rpartition(".")[0]
            if name in self.packages:
                return
            self.packages.add(name)

    def _add_imports(self, module: Module, facts: FileFacts) -> None:
        for item in facts.imports:
            self.imported.add(item.target.partition(".")[0])
            name, target = intern(item.name), intern(item.target)  # the same few in thousands of files
            if name == "*":
                module.stars.append(target)
            elif item.function == 0:
                module.names[name] = target
            else:
                module.local_imports.setdefault(item.function, {})[name] = target

    def _add_definitions(self, module: Module, facts: FileFacts, first: int) -> None:
        symbols = [self._class_symbol(module, facts, index) for index in range(len(facts.classes))]
        for index, function in enumerate(facts.functions):
            if function.owner >= 0:
                self._add_method(symbols[function.owner], function, first + index)
            elif function.parent == 0 and function.name not in {"<lambda>", "<module>"}:
                module.functions[function.name] = first + index
            if function.owner < 0 and function.parent > 0:
                self._add_nested_members(symbols, facts, function, first + index)

    def _class_symbol(self, module: Module, facts: FileFacts, index: int) -> ClassSymbol:
        fact = facts.classes[index]
        attributes = {target: each for each in fact.attributes for target in each.targets}
        place = Place(module.file, index)
        name = f"{module.name}.{fact.qualname}"
        symbol = ClassSymbol(name, place, max(fact.parent, 0), fact.bases, fact.line, {}, attributes, {})
        self.classes.setdefault(symbol.name, symbol)
        if fact.owner < 0 and fact.parent == 0:
            module.classes[fact.name] = symbol.name
        return symbol

    @staticmethod
    def _add_method(symbol: ClassSymbol, function: Function, function_id: int) -> None:
        overload = any(each.chain.endswith("overload") for each in function.decorators)
        setter = any(each.chain.endswith((".setter", ".deleter")) for each in function.decorators)
        if setter:
            symbol.methods[f"{function.name}="] = function_id
        elif not overload:
            symbol.methods[intern(function.name)] = function_id
        if not function.parameters:
            return
        self_prefix = function.parameters[0].name + "."
        for assignment in function.assignments:
            for target in assignment.targets:
                name = target.removeprefix(self_prefix)
                if name is not target and "." not in name and len(name) < len(target):
                    symbol.members.setdefault(name, []).append((function_id, assignment))

    @staticmethod
    def _add_nested_members(symbols: list[ClassSymbol], facts: FileFacts, function: Function, function_id: int) -> None:
        """`self.x = ...` inside a closure of a method belongs to the class too."""
        parent = function
        while parent.owner < 0 and parent.parent > 0:
            parent = facts.functions[parent.parent]
        if parent.owner < 0 or not parent.parameters:
            return
        prefix = parent.parameters[0].name + "."
        for assignment in function.assignments:
            for target in assignment.targets:
                if target.startswith(prefix) and "." not in target[len(prefix) :]:
                    symbols[parent.owner].members.setdefault(target[len(prefix) :], []).append(
                        (function_id, assignment)
                    )
