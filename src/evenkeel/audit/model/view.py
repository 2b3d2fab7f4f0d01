"""What a rule sees: modules, functions and calls with their effects. Rules never see syntax trees, files or tables.

`module.functions` -> `FunctionView`; `function.calls` -> `CallView` in evaluation order, implicit calls included;
`call.reaches("db-read")` -> the effects of the call itself and of what it calls, each with its witness path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from evenkeel.audit.model.call_view import LONGEST_PATH, CallView
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import FileOutline
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.found_once import FoundOnce
from evenkeel.audit.model.function_view import FunctionView
from evenkeel.audit.model.index import Entity, FunctionInfo, Index, LinkedFunction, Reached
from evenkeel.audit.model.masks import mask_of
from evenkeel.audit.model.packing import unpack
from evenkeel.audit.model.reach import Reach

INNER = ".<locals>."

__all__ = ["CallView", "FunctionView", "ModuleView", "Reach"]

_decode_outline = msgspec.msgpack.Decoder(FileOutline).decode
_decode_links = msgspec.msgpack.Decoder(tuple[LinkedFunction, ...]).decode


class ModuleView:
    """One file, decoded piece by piece when a rule looks at it.

    `held`: views that outlive the module, by path, for what other files are asked about; else each is its module's own."""

    def __init__(self, index: Index, file: int, held: dict[str, ModuleView] | None = None) -> None:
        self.index = index
        self.path, self.kind = index.files[file]
        self._neighbours: dict[str, ModuleView] = {} if held is None else held
        self._facts = index.facts[file]
        self._linked = index.linked[file]
        self.opened: list[FunctionView] = []  # functions whose code is decoded

    @FoundOnce
    def encoded(self) -> bytes:
        """The file's facts as they are stored: texts stand in them as they are, in UTF-8."""
        return unpack(self._facts)

    @FoundOnce
    def outline(self) -> FileOutline:
        """The file's facts, its functions still encoded."""
        return _decode_outline(self.encoded)

    @FoundOnce
    def codes(self) -> tuple[bytes, ...]:
        """The facts of each function as they are stored, to look for texts in."""
        return tuple(map(bytes, self.outline.functions))

    def holds(self, *texts: str) -> bool:
        """Whether one of the texts stands anywhere in the facts of the file: quick, before anything is decoded."""
        return any(each.encode() in self.encoded for each in texts)

    @FoundOnce
    def functions(self) -> tuple[FunctionView, ...]:
        """Every function, the module's own code first."""
        linked = _decode_links(unpack(self._linked))
        return tuple([FunctionView(self, number, each) for number, each in enumerate(linked)])

    def functions_reaching(self, *kinds: EffectKind) -> Iterator[FunctionView]:
        """The functions in whose calls one of these kinds may be found: in all others it certainly is not."""
        return self.functions_marked(mask_of(*kinds))

    def functions_marked(self, marks: int) -> Iterator[FunctionView]:
        """The functions in whose calls one of these marks may be found; see model/masks.py."""
        return (each for each in self.functions if each.mask & marks)

    def functions_repeating(self, *kinds: EffectKind) -> Iterator[FunctionView]:
        """The functions in which a loop may repeat a call that has or reaches one of these kinds."""
        marks = mask_of(*kinds)
        return (each for each in self.functions if each.looped_mask & marks)

    def functions_shaped(self, shape: int) -> Iterator[FunctionView]:
        """The functions in whose code one of these kinds of blocks stands; see model/shapes.py."""
        return (each for each in self.functions if each.shape & shape)

    def function(self, info: FunctionInfo) -> FunctionView | None:
        """The view of any function of the project. Another file is decoded once for each module that asks for it."""
        module = self.neighbour(info.file)
        if module is None:
            return None
        number = info.id - module.functions[0].linked.id
        return module.functions[number] if 0 <= number < len(module.functions) else None

    def named(self, name: str) -> FunctionView | None:
        """The first function of this qualified name."""
        return self._by_name.get(name)

    @FoundOnce
    def _by_name(self) -> dict[str, FunctionView]:
        found: dict[str, FunctionView] = {}
        for each in self.functions:
            found.setdefault(each.name, each)
        return found

    @FoundOnce
    def outer_names(self) -> frozenset[str]:
        """The qualified names of the functions that others stand in."""
        return frozenset(each.name.rpartition(INNER)[0] for each in self.functions if INNER in each.name)

    def neighbour(self, path: str) -> ModuleView | None:
        """Another file of the project, or this one."""
        if path == self.path:
            return self
        if path not in self._neighbours:
            number = self.index.numbers.get(path)
            if number is None:
                return None
            self._neighbours[path] = ModuleView(self.index, number)
        return self._neighbours[path]

    @contextmanager
    def visit(self, path: str) -> Iterator[ModuleView]:
        """Another file of the project for a short while: there may be thousands. Raises KeyError for an unknown path."""
        known = self._neighbours.get(path)
        if known is not None:
            yield known
            return
        other = ModuleView(self.index, self.index.numbers[path])
        yield other
        other.release()

    def trace(self, start: FunctionInfo, reached: Reached) -> Iterator[Step]:
        """The steps from `start` to where an effect that it reaches happens."""
        functions = self.index.functions
        info = start
        for _ in range(LONGEST_PATH):
            yield Step(info.file, reached.line, info.name)
            if reached.next < 0:
                return
            info = functions[reached.next]
            following = _same_effect(info.reaches, reached) or _whatever_is_given(info.reaches)
            if following is None:
                return
            reached = following

    def release(self) -> None:
        """Let go of everything decoded, here and in the neighbours. Views point at one another, so that without this
        only a garbage collection would free them, and the workers run without one."""
        for module in (self, *self._neighbours.values()):
            for function in module.__dict__.get("functions", ()):
                function.__dict__.clear()
            module.__dict__.clear()

    def forget(self) -> None:
        """Let go of what was decoded of its functions' own code; what was decoded ahead stays."""
        for function in self.opened:
            function.forget()
        self.opened = []
        self.__dict__.pop("codes", None)

    def entity(self, type_text: str) -> Entity | None:
        """The persistent class a type text names."""
        return self.index.entities.get(type_text)


def decoded_ahead(index: Index) -> dict[str, ModuleView]:
    """All files by path, decoded as far as every worker needs them: before they are forked, this is done once."""
    held: dict[str, ModuleView] = {}
    for file, (path, kind) in enumerate(index.files):
        module = held[path] = ModuleView(index, file, held)
        if kind != "generated":
            module.outline  # noqa: B018
            for function in module.functions:  # decodes the links
                function.own_masks  # noqa: B018
    return held


def mark_ahead(held: Mapping[str, ModuleView]) -> None:
    """Find out what the functions of files decoded ahead reach: this too is done once, when the index is whole."""
    for module in held.values():
        if module.kind != "generated":
            for function in module.functions:
                function.mask  # noqa: B018 - and the marks of the functions that its links lead to
                function.looped_mask  # noqa: B018


def _same_effect(reaches: Sequence[Reached], wanted: Reached) -> Reached | None:
    same = [each for each in reaches if each.effect.kind == wanted.effect.kind]
    detailed = [each for each in same if each.effect.detail == wanted.effect.detail]
    return min(detailed or same, key=lambda each: each.depth, default=None)


def _whatever_is_given(reaches: Sequence[Reached]) -> Reached | None:
    """Where a function runs the statement that its caller names."""
    return min((each for each in reaches if each.statement >= 0), key=lambda each: each.depth, default=None)
