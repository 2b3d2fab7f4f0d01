"""What a rule sees: modules, functions and calls with their effects. Rules never see syntax trees, files or tables.

`module.functions` -> `FunctionView`; `function.calls` -> `CallView` in evaluation order, implicit calls included;
`call.reaches("db-read")` -> the effects of the call itself and of what it calls, each with its witness path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import msgspec

from evenkeel.audit.model.call_view import LONGEST_PATH, CallView, Reach
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block, FileFacts, Function
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.flow import ancestors, enclosing
from evenkeel.audit.model.index import Entity, FunctionInfo, Index, Link, LinkedFunction, Reached
from evenkeel.audit.model.packing import unpack

__all__ = ["CallView", "FunctionView", "ModuleView", "Reach"]

NO_LINK = Link(-1)
RUNS_ONCE = frozenset({"migration", "script"})  # kinds of files

_decode_facts = msgspec.msgpack.Decoder(FileFacts).decode
_decode_links = msgspec.msgpack.Decoder(tuple[LinkedFunction, ...]).decode


class FunctionView:
    """One function: its fact, its calls with their effects, and how it is reached."""

    def __init__(self, module: ModuleView, fact: Function, linked: LinkedFunction) -> None:
        self.module = module
        self.fact = fact
        self.linked = linked
        self.info: FunctionInfo = module.index.functions[linked.id]
        self.answers: dict[object, object] = {}  # see model/answers.py

    @property
    def name(self) -> str:
        """Qualified name."""
        return self.info.name

    @property
    def is_async(self) -> bool:
        """Declared with `async def`."""
        return self.fact.is_async

    @cached_property
    def calls(self) -> tuple[CallView, ...]:
        """Every call in evaluation order, implicit ones included."""
        return tuple(sorted(self.calls_by_index.values(), key=lambda each: (each.fact.position, each.index)))

    @cached_property
    def calls_by_index(self) -> dict[int, CallView]:
        """Calls by the index that facts use for them."""
        links = {each.call: each for each in self.linked.links}
        facts = (*self.fact.calls, *self.linked.implicit)
        return {index: CallView(self, index, fact, links.get(index, NO_LINK)) for index, fact in enumerate(facts)}

    @cached_property
    def types(self) -> dict[str, str]:
        """Types of parameters and variables, where known."""
        return dict(self.linked.types)

    def role_of(self, type_text: str) -> str:
        """What kind of thing a type is: session, connection, transaction, entity, ...; "" when nothing says so."""
        return self.module.index.roles.get(type_text.partition("[")[0], "")

    def calls_with(self, *kinds: EffectKind) -> Iterator[CallView]:
        """Calls that themselves have an effect of these kinds."""
        return (each for each in self.calls if each.link.effects and each.has(*kinds))

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
    """One file, decoded when a rule looks at it and dropped after."""

    def __init__(self, index: Index, file: int) -> None:
        self.index = index
        self.path, self.kind = index.files[file]
        self._neighbours: dict[str, ModuleView] = {}
        self._facts = index.facts[file]
        self._linked = index.linked[file]

    @cached_property
    def facts(self) -> FileFacts:
        """The file's facts."""
        return _decode_facts(unpack(self._facts))

    @cached_property
    def functions(self) -> tuple[FunctionView, ...]:
        """Every function, the module's own code first."""
        return tuple(
            FunctionView(self, fact, linked)
            for fact, linked in zip(self.facts.functions, _decode_links(unpack(self._linked)), strict=True)
        )

    def function(self, info: FunctionInfo) -> FunctionView | None:
        """The view of any function of the project. Another file is decoded once for each module that asks for it."""
        module = self.neighbour(info.file)
        if module is None:
            return None
        number = info.id - module.functions[0].info.id
        return module.functions[number] if 0 <= number < len(module.functions) else None

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

    def entity(self, type_text: str) -> Entity | None:
        """The persistent class a type text names."""
        return self.index.entities.get(type_text)


def _same_effect(reaches: Sequence[Reached], wanted: Reached) -> Reached | None:
    same = [each for each in reaches if each.effect.kind == wanted.effect.kind]
    detailed = [each for each in same if each.effect.detail == wanted.effect.detail]
    return min(detailed or same, key=lambda each: each.depth, default=None)


def _whatever_is_given(reaches: Sequence[Reached]) -> Reached | None:
    """Where a function runs the statement that its caller names."""
    return min((each for each in reaches if each.statement >= 0), key=lambda each: each.depth, default=None)
