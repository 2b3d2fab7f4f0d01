"""One function as a rule sees it: its fact, its calls with their effects, and how it is reached."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from evenkeel.audit.model.call_view import LONGEST_PATH, CallView
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block, Function
from evenkeel.audit.model.finding import Step
from evenkeel.audit.model.flow import ancestors, enclosing
from evenkeel.audit.model.found_once import FoundOnce
from evenkeel.audit.model.index import FunctionInfo, Link, LinkedFunction
from evenkeel.audit.model.masks import BLOCKS, LOOPED, mask_of, mask_of_callees, mask_of_link

if TYPE_CHECKING:
    from evenkeel.audit.model.view import ModuleView

NO_LINK = Link(-1)
RUNS_ONCE = frozenset({"migration", "script"})  # kinds of files

_decode_function = msgspec.msgpack.Decoder(Function).decode


class FunctionView:
    """One function: its fact, its calls with their effects, and how it is reached. Decoded piece by piece as it is asked."""

    def __init__(self, module: ModuleView, number: int, linked: LinkedFunction) -> None:
        self.module = module
        self.number = number  # its place in the file
        self.linked = linked
        self.answers: dict[object, Any] = {}  # see model/answers.py
        self._calls: dict[int, CallView] = {}

    @FoundOnce
    def fact(self) -> Function:
        """What was seen of it."""
        self.module.opened.append(self)
        return _decode_function(self.module.outline.functions[self.number])

    def holds(self, *texts: str, any_case: bool = False) -> bool:
        """Whether one of the texts stands anywhere in its facts: quick, before anything is decoded."""
        encoded = self.module.codes[self.number]
        where = encoded.lower() if any_case else encoded
        return any(each.encode() in where for each in texts)

    @FoundOnce
    def info(self) -> FunctionInfo:
        """What is known of it from anywhere."""
        return self.module.index.functions[self.linked.id]

    def forget(self) -> None:
        """Let go of its code, which is decoded again when it is asked for."""
        own = self.__dict__
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
        """Declared with `async def`, or a plain `def` that the framework runs on the event loop."""
        return self.info.is_async

    @property
    def nested(self) -> tuple[FunctionView, ...]:
        """The functions that stand in it, and in those."""
        start = f"{self.name}.<locals>."
        return tuple([each for each in self.module.functions if each.name.startswith(start)])

    @FoundOnce
    def calls(self) -> tuple[CallView, ...]:
        """Every call in evaluation order, implicit ones included."""
        written, implicit = len(self.fact.calls), len(self.linked.implicit)
        views = [self._view(each) for each in range(written + implicit)]
        return tuple(sorted(views, key=_in_order) if implicit else views)

    def call(self, index: int) -> CallView | None:
        """The call by the index that facts use for it; None for -1 and what is no call of this function."""
        known = self._calls.get(index)
        if known is None and 0 <= index < len(self.fact.calls) + len(self.linked.implicit):
            return self._view(index)
        return known

    def _view(self, index: int) -> CallView:
        known = self._calls.get(index)
        if known is None:
            calls = self.fact.calls
            written = len(calls)
            fact = calls[index] if index < written else self.linked.implicit[index - written]
            known = self._calls[index] = CallView(self, index, fact, self._links.get(index, NO_LINK))
        return known

    @FoundOnce
    def _links(self) -> dict[int, Link]:
        return {each.call: each for each in self.linked.links}

    @FoundOnce
    def _masks(self) -> tuple[tuple[Link, int], ...]:
        """The link and the mask of each call that has or reaches anything."""
        index = self.module.index
        found = [
            (link, mask | mask_of_callees(link, index) if link.targets or link.runs else mask)
            for link, mask in self.own_masks
        ]
        return tuple([each for each in found if each[1]])

    @FoundOnce
    def own_masks(self) -> tuple[tuple[Link, int], ...]:
        """The link and the mask of what it does itself of each call of which more than its name is known."""
        looped = frozenset(self.linked.looped)
        found: list[tuple[Link, int]] = []
        for link in self.linked.links:
            mask = mask_of_link(link)
            if mask or link.targets or link.runs:
                found.append((link, mask | LOOPED if link.call in looped else mask))
        return tuple(found)

    @FoundOnce
    def mask(self) -> int:
        """What its calls have and reach, see model/masks.py."""
        mask = 0
        for _, each in self._masks:
            mask |= each
        return mask

    @FoundOnce
    def looped_mask(self) -> int:
        """`mask` of those calls alone that a loop repeats."""
        mask = 0
        for _, each in self._masks if self.linked.looped else ():
            if each & LOOPED:
                mask |= each
        return mask

    @property
    def shape(self) -> int:
        """Which kinds of blocks stand in its code, see model/shapes.py."""
        return self.linked.shape

    @FoundOnce
    def _acting(self) -> tuple[tuple[Link, int], ...]:
        """`_masks` in evaluation order: the order of calls as they are numbered, but for implicit ones."""
        if not self.linked.implicit:
            return self._masks
        written = [each.position for each in self.fact.calls]
        positions = (*written, *(each.position for each in self.linked.implicit))
        return tuple(sorted(self._masks, key=lambda each: (positions[each[0].call], each[0].call)))

    def calls_reaching(self, *kinds: EffectKind) -> tuple[CallView, ...]:
        """The calls in evaluation order that may have or reach one of these kinds, in tasks of their own too: all others
        certainly do not."""
        return self.calls_marked(mask_of(*kinds))

    def calls_blocking(self, *kinds: EffectKind) -> tuple[CallView, ...]:
        """Those of `calls_reaching` that may block the thread."""
        return self.calls_marked(mask_of(*kinds), BLOCKS)

    def count_marked(self, marks: int) -> int:
        """How many calls `calls_marked` gives; nothing is decoded for it."""
        return sum(1 for _, mask in self._masks if mask & marks) if self.mask & marks else 0

    def links_marked(self, marks: int) -> list[Link]:
        """The links of the calls that `calls_marked` gives; nothing is decoded for it."""
        return [link for link, mask in self._masks if mask & marks] if self.mask & marks else []

    def calls_repeating(self, *kinds: EffectKind) -> tuple[CallView, ...]:
        """Those of `calls_reaching` that a loop repeats."""
        marks = mask_of(*kinds)
        return self.calls_marked(marks, LOOPED) if self.looped_mask & marks else ()

    def calls_marked(self, marks: int, also: int = -1) -> tuple[CallView, ...]:
        """The calls in evaluation order that may have one of these marks, and one of `also`; see model/masks.py."""
        if not (self.mask & marks and self.mask & also):
            return ()
        known, view = self._calls, self._view
        marked = [link.call for link, mask in self._acting if mask & marks and mask & also]
        return tuple([known.get(index) or view(index) for index in marked])

    def calls_fitting(self, marks: int, fits: Callable[[Link], bool]) -> list[CallView]:
        """Those of `calls_marked` whose links fit; what does not is never decoded."""
        if not self.mask & marks:
            return []
        fitting = [self._view(link.call) for link, mask in self._masks if mask & marks and fits(link)]
        return sorted(fitting, key=_in_order)

    def calls_linked(self, fits: Callable[[Link], bool]) -> list[CallView]:
        """The calls in evaluation order whose links fit."""
        return sorted([self._view(each.call) for each in self.linked.links if fits(each)], key=_in_order)

    def asks(self, *libraries: str) -> bool:
        """Whether one of its calls resolves to one of these library names; nothing is decoded for it."""
        return any(each.library in libraries for each in self.linked.links)

    def calls_of(self, libraries: Container[str]) -> list[CallView]:
        """The calls in evaluation order that resolve to one of these library names."""
        return sorted([self._view(each.call) for each in self.linked.links if each.library in libraries], key=_in_order)

    @FoundOnce
    def types(self) -> dict[str, str]:
        """Types of parameters and variables, where known."""
        return dict(self.linked.types)

    @FoundOnce
    def knows_entities(self) -> bool:
        """Whether one of its variables is known to be an entity; nothing is decoded for it."""
        entities = self.module.index.entities
        return any(type_ in entities for _, type_ in self.linked.types)

    def role_of(self, type_text: str) -> str:
        """What kind of thing a type is: session, connection, transaction, entity, ...; "" when nothing says so."""
        return self.module.index.roles.get(type_text.partition("[")[0], "")

    def calls_with(self, *kinds: EffectKind) -> Iterator[CallView]:
        """Calls in evaluation order that themselves have an effect of these kinds."""
        marks = mask_of(*kinds)
        if not self.mask & marks:
            return iter(())
        marked = [self._view(link.call) for link, mask in self.own_masks if mask & marks]
        return (each for each in sorted(marked, key=_in_order) if each.has(*kinds))

    def does(self, *kinds: EffectKind) -> bool:
        """Whether one of its calls itself has an effect of these kinds: quick, before anything is decoded."""
        marks = mask_of(*kinds)
        if not self.mask & marks:
            return False
        return any(each.kind in kinds for link, mask in self.own_masks if mask & marks for each in link.effects)

    def blocks_around(self, block: int, *kinds: str) -> tuple[Block, ...]:
        """Enclosing blocks of these kinds, innermost first."""
        return enclosing(self.fact.blocks, block, *kinds)

    def is_inside(self, block: int, outer: int) -> bool:
        """Whether block number `block` lies in block number `outer`."""
        return outer in ancestors(self.fact.blocks, block)

    @FoundOnce
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

    @FoundOnce
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


def _in_order(call: CallView) -> tuple[int, int]:
    return call.fact.position, call.index
