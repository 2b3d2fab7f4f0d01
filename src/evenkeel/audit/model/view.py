"""What a rule sees: modules, functions and calls with their effects. Rules never see syntax trees, files or tables.

`module.functions` -> `FunctionView`; `function.calls` -> `CallView` in evaluation order, implicit calls included;
`call.reaches("db-read")` -> the effects of the call itself and of what it calls, each with its witness path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import msgspec

from evenkeel.audit.model.call_view import LONGEST_PATH, CallView, Reach
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block, FileOutline, Function
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.flow import ancestors, enclosing
from evenkeel.audit.model.index import Entity, FunctionInfo, Index, Link, LinkedFunction, Reached
from evenkeel.audit.model.masks import mask_of, mask_of_link
from evenkeel.audit.model.packing import unpack

__all__ = ["CallView", "FunctionView", "ModuleView", "Reach"]

NO_LINK = Link(-1)
RUNS_ONCE = frozenset({"migration", "script"})  # kinds of files

_decode_outline = msgspec.msgpack.Decoder(FileOutline).decode
_decode_function = msgspec.msgpack.Decoder(Function).decode
_decode_links = msgspec.msgpack.Decoder(tuple[LinkedFunction, ...]).decode


class FunctionView:
    """One function: its fact, its calls with their effects, and how it is reached. Decoded piece by piece as it is asked."""

    def __init__(self, module: ModuleView, number: int, linked: LinkedFunction) -> None:
        self.module = module
        self.number = number  # its place in the file
        self.linked = linked
        self.answers: dict[object, object] = {}  # see model/answers.py
        self._calls: dict[int, CallView] = {}

    @cached_property
    def fact(self) -> Function:
        """What was seen of it."""
        return _decode_function(self.module.outline.functions[self.number])

    def holds(self, *texts: str, any_case: bool = False) -> bool:
        """Whether one of the texts stands anywhere in its facts: quick, before anything is decoded."""
        encoded = bytes(self.module.outline.functions[self.number])
        where = encoded.lower() if any_case else encoded
        return any(each.encode() in where for each in texts)

    @cached_property
    def info(self) -> FunctionInfo:
        """What is known of it from anywhere."""
        return self.module.index.functions[self.linked.id]

    def forget(self) -> None:
        """Let go of its code, which is decoded again when it is asked for."""
        own = self.__dict__
        if "fact" in own:
            for name in ("fact", "calls", "_acting"):
                own.pop(name, None)
            self.answers = {}
            self._calls = {}

    @property
    def name(self) -> str:
        """Qualified name."""
        return self.info.name

    @property
    def is_async(self) -> bool:
        """Declared with `async def`."""
        return self.info.is_async

    @property
    def nested(self) -> tuple[FunctionView, ...]:
        """The functions that stand in it, and in those."""
        start = f"{self.name}.<locals>."
        return tuple([each for each in self.module.functions if each.name.startswith(start)])

    @cached_property
    def calls(self) -> tuple[CallView, ...]:
        """Every call in evaluation order, implicit ones included."""
        count = len(self.fact.calls) + len(self.linked.implicit)
        return tuple(sorted([self._view(each) for each in range(count)], key=_in_order))

    def call(self, index: int) -> CallView | None:
        """The call by the index that facts use for it; None for -1 and what is no call of this function."""
        known = self._calls.get(index)
        if known is None and 0 <= index < len(self.fact.calls) + len(self.linked.implicit):
            return self._view(index)
        return known

    def _view(self, index: int) -> CallView:
        known = self._calls.get(index)
        if known is None:
            written = len(self.fact.calls)
            fact = self.fact.calls[index] if index < written else self.linked.implicit[index - written]
            known = self._calls[index] = CallView(self, index, fact, self._links.get(index, NO_LINK))
        return known

    @cached_property
    def _links(self) -> dict[int, Link]:
        return {each.call: each for each in self.linked.links}

    @cached_property
    def _masks(self) -> tuple[tuple[int, int], ...]:
        """(index, mask) of each call that has or reaches anything."""
        index = self.module.index
        found = [(each.call, mask_of_link(each, index)) for each in self.linked.links]
        return tuple([each for each in found if each[1]])

    @cached_property
    def mask(self) -> int:
        """What its calls have and reach, see model/masks.py."""
        mask = 0
        for _, each in self._masks:
            mask |= each
        return mask

    @cached_property
    def _acting(self) -> tuple[tuple[CallView, int], ...]:
        """The calls of `_masks` in evaluation order."""
        found = [(self._view(index), mask) for index, mask in self._masks]
        return tuple(sorted(found, key=lambda each: _in_order(each[0])))

    def calls_reaching(self, *kinds: EffectKind) -> tuple[CallView, ...]:
        """The calls in evaluation order that may have or reach one of these kinds, in tasks of their own too: all others
        certainly do not."""
        wanted = mask_of(*kinds)
        return tuple([each for each, mask in self._acting if mask & wanted]) if self.mask & wanted else ()

    def calls_linked(self, fits: Callable[[Link], bool]) -> list[CallView]:
        """The calls in evaluation order whose links fit."""
        return sorted([self._view(each.call) for each in self.linked.links if fits(each)], key=_in_order)

    @cached_property
    def types(self) -> dict[str, str]:
        """Types of parameters and variables, where known."""
        return dict(self.linked.types)

    def role_of(self, type_text: str) -> str:
        """What kind of thing a type is: session, connection, transaction, entity, ...; "" when nothing says so."""
        return self.module.index.roles.get(type_text.partition("[")[0], "")

    def calls_with(self, *kinds: EffectKind) -> Iterator[CallView]:
        """Calls that themselves have an effect of these kinds."""
        return (each for each in self.calls_reaching(*kinds) if each.has(*kinds))

    def blocks_around(self, block: int, *kinds: str) -> tuple[Block, ...]:
        """Enclosing blocks of these kinds, innermost first."""
        return enclosing(self.fact.blocks, block, *kinds)

    def is_inside(self, block: int, outer: int) -> bool:
        """Whether block number `block` lies in block number `outer`."""
        return outer in ancestors(self.fact.blocks, block)

    @cached_property
    def entry_path(self) -> tuple[Step, ...]:
        """From the entry point (handler, consumer, task) down to this function; () when none reaches it."""
        functions = self.module.index.functions
        steps: list[Step] = []
        info, seen = self.info, {self.info.id}
        while info.caller >= 0 and info.caller not in seen and len(steps) < LONGEST_PATH:
            caller = functions[info.caller]
            steps.append(Step(caller.file, info.caller_line, caller.name))
            seen.add(caller.id)
            info = caller
        return tuple(reversed(steps))

    @property
    def role(self) -> str:
        """`handler` (request, websocket, stream), `job` (task, cron, consumer), `startup` (also cli, migration), or ""."""
        roles = set(self.info.roles)
        if roles & {"handler", "websocket", "dependency"}:
            return "handler"
        if self.info.kind in RUNS_ONCE:
            return "startup"
        if roles & {"task", "consumer", "cron", "signal"}:
            return "job"
        return "startup" if roles & {"startup", "cli", "migration"} else ""


class ModuleView:
    """One file, decoded piece by piece when a rule looks at it.

    `held`: views that outlive the module, by path, for what other files are asked about; else each is its module's own."""

    def __init__(self, index: Index, file: int, held: dict[str, ModuleView] | None = None) -> None:
        self.index = index
        self.path, self.kind = index.files[file]
        self._neighbours: dict[str, ModuleView] = {} if held is None else held
        self._facts = index.facts[file]
        self._linked = index.linked[file]

    @cached_property
    def encoded(self) -> bytes:
        """The file's facts as they are stored: texts stand in them as they are, in UTF-8."""
        return unpack(self._facts)

    @cached_property
    def outline(self) -> FileOutline:
        """The file's facts, its functions still encoded."""
        return _decode_outline(self.encoded)

    def holds(self, *texts: str) -> bool:
        """Whether one of the texts stands anywhere in the facts of the file: quick, before anything is decoded."""
        return any(each.encode() in self.encoded for each in texts)

    @cached_property
    def functions(self) -> tuple[FunctionView, ...]:
        """Every function, the module's own code first."""
        linked = _decode_links(unpack(self._linked))
        return tuple([FunctionView(self, number, each) for number, each in enumerate(linked)])

    def functions_reaching(self, *kinds: EffectKind) -> Iterator[FunctionView]:
        """The functions in whose calls one of these kinds may be found: in all others it certainly is not."""
        wanted = mask_of(*kinds)
        return (each for each in self.functions if each.mask & wanted)

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

    @cached_property
    def _by_name(self) -> dict[str, FunctionView]:
        found: dict[str, FunctionView] = {}
        for each in self.functions:
            found.setdefault(each.name, each)
        return found

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
        for function in self.functions:
            function.forget()

    def entity(self, type_text: str) -> Entity | None:
        """The persistent class a type text names."""
        return self.index.entities.get(type_text)


def decoded_ahead(index: Index) -> dict[str, ModuleView]:
    """All files by path, decoded as far as every worker needs them: before they are forked, this is done once."""
    held: dict[str, ModuleView] = {}
    for file, (path, kind) in enumerate(index.files):
        module = held[path] = ModuleView(index, file, held)
        if kind != "generated":
            for function in module.functions:
                function.mask  # noqa: B018 - decodes the links, and what is known of the functions that they lead to
            module.outline  # noqa: B018
    return held


def _in_order(call: CallView) -> tuple[int, int]:
    return call.fact.position, call.index


def _same_effect(reaches: Sequence[Reached], wanted: Reached) -> Reached | None:
    same = [each for each in reaches if each.effect.kind == wanted.effect.kind]
    detailed = [each for each in same if each.effect.detail == wanted.effect.detail]
    return min(detailed or same, key=lambda each: each.depth, default=None)


def _whatever_is_given(reaches: Sequence[Reached]) -> Reached | None:
    """Where a function runs the statement that its caller names."""
    return min((each for each in reaches if each.statement >= 0), key=lambda each: each.depth, default=None)
