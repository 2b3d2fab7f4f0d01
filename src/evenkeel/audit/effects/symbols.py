"""The symbol table: what each file defines, light enough to hold for a million lines.

Facts stay encoded and are decoded on demand, one function at a time, through bounded caches, so a large code base does
not have to fit in memory twice. A symbol is a name and a place; everything else is looked up when it is needed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern

import msgspec

from evenkeel.audit.effects.latest import Latest, Remembered, latest_answers
from evenkeel.audit.effects.states import Puts, add_put
from evenkeel.audit.model.facts import Assignment, FileFacts, Function
from evenkeel.audit.model.packing import packed_size, unpack
from evenkeel.audit.model.tables import Blobs

HELD_BYTES = 4_000_000  # of packed facts, some 170,000 lines: so much is decoded once and held, which takes 80 MB
DECODED_FILES = 4  # of a larger project, whole; each pass over the project goes file by file
UNPACKED_FILES = 256  # encoded, some 15 kB each: base classes and constants that everyone imports stay among them
DECODED_FUNCTIONS = 2_048  # of other files, about 5 kB each
DECODED_BODIES = 1_024  # of classes
REMEMBERED_FUNCTIONS = 2_048  # of which what is found is remembered in a larger project
MAX_MEMBERS = 4  # places that assign one attribute; more say nothing new


class Outline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """FileFacts whose functions stay encoded until one is asked for; what comes after them is not read."""

    path: str
    module: str
    language: str
    lines: int
    functions: tuple[msgspec.Raw, ...] = ()


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is assigned in the body of a class, and to attributes of `self`: (function id, assignment)."""

    attributes: dict[str, Assignment] = {}
    members: dict[str, tuple[tuple[int, Assignment], ...]] = {}


_decode = msgspec.msgpack.Decoder(FileFacts).decode
_decode_outline = msgspec.msgpack.Decoder(Outline).decode
_decode_function = msgspec.msgpack.Decoder(Function).decode
_decode_body = msgspec.msgpack.Decoder(Body).decode
_encode = msgspec.msgpack.Encoder().encode
EMPTY = Body()


class Place(msgspec.Struct, frozen=True, gc=False):
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
    body: int = -1  # number of its row in the table of bodies, see `Symbols.body`


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
        """Kind and facts (encoded FileFacts, packed or not) of each file, in a stable order."""
        self.encoded = facts
        self.held = packed_size(facts) <= HELD_BYTES
        self.modules: list[Module] = []
        self.by_module: dict[str, int] = {}
        self.classes: dict[str, ClassSymbol] = {}
        self.places: list[Place] = []  # function id -> place
        self.first_id: list[int] = []  # file -> id of its function number 0
        self.packages: set[str] = set()
        self.imported: set[str] = set()  # top-level packages that anyone imports
        self.parents = array("i")  # function id -> index of the function around it in its file, -1 for the module
        self.nested: dict[int, list[tuple[str, int]]] = {}  # function id -> named functions in it, with their ids
        self.kept: Puts = {}  # key -> what is put under it into an application's state
        self._owners = array("i")  # function id -> index of its class in its file, or -1
        self._class_names: list[tuple[str, ...]] = []  # file -> qualified names of its classes
        self._bodies = Blobs()
        self._decoded: Remembered[int, FileFacts] = latest_answers(DECODED_FILES, held=self.held)
        self._every: list[Function] = []  # of a project that is held
        self._outlines: Latest[int, Outline] = Latest(UNPACKED_FILES)
        self._functions: Latest[int, Function] = Latest(DECODED_FUNCTIONS)
        self._known_bodies: Remembered[int, Body] = latest_answers(DECODED_BODIES, held=self.held)
        for file, kind in enumerate(kinds):
            self._add(file, kind)

    def forget(self) -> None:
        """Let go of the decoded facts of a large project: those that are asked for again are decoded again."""
        if self.held:
            return
        self._decoded.clear()
        self._outlines.clear()
        self._functions.clear()
        self._known_bodies.clear()

    def facts(self, file: int) -> FileFacts:
        """All facts of file number `file`: for passes over the project. Single functions of others: `function`."""
        facts = self._decoded.get(file)
        if facts is None:
            facts = self._decoded[file] = _decode(unpack(self.encoded[file]))
        return facts

    def body(self, symbol: ClassSymbol) -> Body:
        """What a class assigns."""
        if symbol.body < 0:
            return EMPTY
        body = self._known_bodies.get(symbol.body)
        if body is None:
            body = self._known_bodies[symbol.body] = _decode_body(self._bodies[symbol.body])
        return body

    def owner(self, function_id: int) -> ClassSymbol | None:
        """The class a method belongs to."""
        owner = self._owners[function_id]
        return self.classes.get(self._class_names[self.places[function_id].file][owner]) if owner >= 0 else None

    def function(self, function_id: int) -> Function:
        """The facts of one function."""
        if self.held:
            return self._every[function_id]
        place = self.places[function_id]
        whole = self._decoded.get(place.file)
        if whole is not None:
            return whole.functions[place.index]
        function = self._functions.get(function_id)
        if function is None:
            outline = self._outlines.get(place.file)
            if outline is None:
                outline = self._outlines[place.file] = _decode_outline(unpack(self.encoded[place.file]))
            function = self._functions[function_id] = _decode_function(outline.functions[place.index])
        return function

    def module_of(self, function_id: int) -> Module:
        """The module a function is defined in."""
        return self.modules[self.places[function_id].file]

    def qualified(self, function_id: int) -> str:
        """`app.jobs.Runner.start`; `app.jobs` for a module's own code."""
        place = self.places[function_id]
        module = self.modules[place.file].name
        return module if place.index == 0 else f"{module}.{self.function(function_id).qualname}"

    def _add(self, file: int, kind: str) -> None:
        facts = self.facts(file)
        module = Module(file, facts.module or facts.path, facts.path, kind)
        self.modules.append(module)
        self.by_module.setdefault(module.name, file)
        self._add_packages(module.name)
        first = len(self.places)
        self.first_id.append(first)
        self.places.extend(Place(file, index) for index in range(len(facts.functions)))
        if self.held:
            self._every.extend(facts.functions)
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
        self._class_names.append(tuple(each.name for each in symbols))
        members: list[Members] = [{} for _ in symbols]
        for index, function in enumerate(facts.functions):
            self.parents.append(function.parent)
            self._owners.append(function.owner)
            add_put(self.kept, function, first + index)
            if function.owner >= 0:
                _add_method(symbols[function.owner], members[function.owner], function, first + index)
                continue
            if function.parent == 0 and function.name not in UNNAMED:
                module.functions[intern(function.name)] = first + index
            if function.parent > 0:
                if function.name != LAMBDA:
                    self.nested.setdefault(first + function.parent, []).append((function.name, first + index))
                _add_nested_members(members, facts, function, first + index)
        for fact, symbol, found in zip(facts.classes, symbols, members, strict=True):
            self._add_body(symbol, {target: each for each in fact.attributes for target in each.targets}, found)

    def _class_symbol(self, module: Module, facts: FileFacts, index: int) -> ClassSymbol:
        fact = facts.classes[index]
        name = f"{module.name}.{fact.qualname}"
        symbol = ClassSymbol(name, Place(module.file, index), max(fact.parent, 0), fact.bases, fact.line, {})
        self.classes.setdefault(symbol.name, symbol)
        if fact.owner < 0 and fact.parent == 0:
            module.classes[fact.name] = symbol.name
        return symbol

    def _add_body(self, symbol: ClassSymbol, attributes: dict[str, Assignment], members: Members) -> None:
        if attributes or members:
            symbol.body = len(self._bodies)
            self._bodies.append(_encode((attributes, members)))


Members = dict[str, list[tuple[int, Assignment]]]
LAMBDA = "<lambda>"
UNNAMED = frozenset({LAMBDA, "<module>"})


def _add_method(symbol: ClassSymbol, members: Members, function: Function, function_id: int) -> None:
    overload = any(each.chain.endswith("overload") for each in function.decorators)
    setter = any(each.chain.endswith((".setter", ".deleter")) for each in function.decorators)
    if setter:
        symbol.methods[f"{function.name}="] = function_id
    elif not overload:
        symbol.methods[intern(function.name)] = function_id
    if function.parameters:
        _add_members(members, function.parameters[0].name, function, function_id)


def _add_nested_members(members: list[Members], facts: FileFacts, function: Function, function_id: int) -> None:
    """`self.x = ...` inside a closure of a method belongs to the class too."""
    parent = function
    while parent.owner < 0 and parent.parent > 0:
        parent = facts.functions[parent.parent]
    if parent.owner >= 0 and parent.parameters:
        _add_members(members[parent.owner], parent.parameters[0].name, function, function_id)


def _add_members(members: Members, own: str, function: Function, function_id: int) -> None:
    prefix = f"{own}."
    for assignment in function.assignments:
        for target in assignment.targets:
            name = target.removeprefix(prefix)
            if name and name is not target and "." not in name and len(name) < len(target):
                found = members.setdefault(name, [])
                if len(found) < MAX_MEMBERS:
                    found.append((function_id, assignment))
