"""What a rule sees: modules, functions and calls with their effects. Rules never see syntax trees, files or tables.

`module.functions` -> `FunctionView`; `function.calls` -> `CallView` in evaluation order, implicit calls included;
`call.reaches("db-read")` -> the effects of the call itself and of what it calls, each with its witness path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from evenkeel.audit.model.effects import Effect, EffectKind, bind_variables
from evenkeel.audit.model.facts import Argument, Block, Call, FileFacts, Function, Value
from evenkeel.audit.model.finding import Confidence, Effort, Finding, Severity, Step
from evenkeel.audit.model.flags import flags_passed, settled
from evenkeel.audit.model.flow import ancestors, enclosing, loops_around, may_follow
from evenkeel.audit.model.index import Entity, FunctionInfo, Index, Link, LinkedFunction, Reached

NO_LINK = Link(-1)
SET_UP = re.compile(
    r"(^|[._])(init|initiali[sz]e|setup|set_up|bootstrap|migrate|migration|startup|on_startup|lifespan)(_|$)"
)
BATCH_FOLDER = re.compile(r"(^|/)(tasks?|jobs?|cron|crons)(/|\.py$)")
SAFEGUARDS = re.compile(r"(^|\.)(timeout|timeout_at|wait_for|fail_after|move_on_after|Timeout)$")
LONGEST_PATH = 12
RUNS_ONCE = frozenset({"migration", "script"})  # kinds of files

_decode_facts = msgspec.msgpack.Decoder(FileFacts).decode
_decode_links = msgspec.msgpack.Decoder(tuple[LinkedFunction, ...]).decode


class Reach(NamedTuple):
    """An effect and the way to it. `path[0]` is the call it was asked of; the last step is where it happens."""

    effect: Effect
    path: tuple[Step, ...]
    spawned: bool = False
    looped: bool = False
    kept: bool = False

    @property
    def direct(self) -> bool:
        """Whether the call itself has it, not something it calls."""
        return len(self.path) == 1


class CallView:
    """One call of a function: its fact, what it resolves to, and what it does."""

    __slots__ = ("fact", "function", "index", "link")

    def __init__(self, function: FunctionView, index: int, fact: Call, link: Link) -> None:
        self.function = function
        self.index = index
        self.fact = fact
        self.link = link

    @property
    def line(self) -> int:
        """First line."""
        return self.fact.line

    @property
    def name(self) -> str:
        """The last part of what is called: `execute`."""
        return self.fact.callee.rpartition(".")[2]

    @property
    def holder(self) -> str:
        """What it is called on, as written: `self.session`."""
        return self.fact.callee.rpartition(".")[0]

    @property
    def library(self) -> str:
        """The dotted library name it resolves to, or ""."""
        return self.link.library

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Effects of the call itself."""
        return self.link.effects

    @property
    def targets(self) -> tuple[FunctionInfo, ...]:
        """Project functions it may call."""
        functions = self.function.module.index.functions
        return tuple(functions[each] for each in self.link.targets)

    @property
    def runs(self) -> tuple[FunctionInfo, ...]:
        """Project functions it runs through an argument (offload, spawn, gather)."""
        functions = self.function.module.index.functions
        return tuple(functions[each] for each in self.link.runs)

    @property
    def query(self) -> tuple[str, ...]:
        """Steps of the query it executes, as written; one step holding the SQL when it is text."""
        return self.link.query

    @property
    def loops(self) -> tuple[Block, ...]:
        """Loops that repeat it, innermost first."""
        return loops_around(self.function.fact.blocks, self.fact.block, self.fact.position)

    @property
    def parent(self) -> CallView | None:
        """The call in whose arguments it stands."""
        return self.function.calls_by_index.get(self.fact.parent) if self.fact.parent >= 0 else None

    @property
    def receiver(self) -> CallView | None:
        """The call whose result it is called on."""
        return self.function.calls_by_index.get(self.fact.receiver) if self.fact.receiver >= 0 else None

    @property
    def step(self) -> Step:
        """This call as a step of a witness path."""
        return Step(self.function.module.path, self.fact.line, self.function.name)

    def has(self, *kinds: EffectKind) -> bool:
        """Whether the call itself has an effect of these kinds."""
        return any(each.kind in kinds for each in self.link.effects)

    def effect(self, *kinds: EffectKind) -> Effect | None:
        """The call's own first effect of these kinds."""
        return next((each for each in self.link.effects if each.kind in kinds), None)

    def argument(self, position: int, keyword: str = "") -> Value | None:
        """The argument at that position, or with that keyword."""
        positional = [each for each in self.fact.arguments if not each.keyword]
        if keyword:
            named = next((each.value for each in self.fact.arguments if each.keyword == keyword), None)
            if named is not None:
                return named
        return positional[position].value if 0 <= position < len(positional) else None

    def passed_to(self, target: FunctionInfo) -> dict[int, Argument]:
        """Which argument ends up in which parameter of `target` (self not counted)."""
        passed: dict[int, Argument] = {}
        position = 0
        for argument in self.fact.arguments:
            if argument.keyword in {"*", "**"}:
                break
            if not argument.keyword:
                passed[position] = argument
                position += 1
            elif argument.keyword in target.parameters:
                passed[target.parameters.index(argument.keyword)] = argument
        return passed

    def reaches(self, *kinds: EffectKind, spawned: bool = False) -> list[Reach]:
        """Effects of these kinds that making this call has, nearest first, each with its witness path.

        Work that runs in a task of its own is left out unless `spawned`. `effect.blocking` holds only for effects that
        block the calling thread: what an offload or an async callee does is not the caller's blocking.
        """
        found = [Reach(each, (self.step,)) for each in self.link.effects if each.kind in kinds]
        for target in (*self.targets, *self.runs):
            wanted = (each for each in target.reaches if each.effect.kind in kinds and self._meets(target, each))
            found.extend(self._through(target, each) for each in wanted)
        if not spawned:
            found = [each for each in found if not each.spawned]
        found.sort(key=lambda each: len(each.path))
        return found

    def _meets(self, target: FunctionInfo, reached: Reached) -> bool:
        """Whether the flag that guards an effect of the callee may be raised by this call's arguments."""
        return not reached.guard or settled(reached.guard, flags_passed(self.fact, target.parameters)) != 0

    def _through(self, target: FunctionInfo, reached: Reached) -> Reach:
        steps = (self.step, *self.function.module.trace(target, reached))
        effect = bind_variables(reached.effect, self.link.variables)
        if effect.blocking and (target.is_async or (target.id in self.link.runs and self.link.mode)):
            effect = _unblocked(effect)
        spawned = target.id in self.link.runs and self.link.mode == "spawn"
        return Reach(effect, steps, reached.spawned or spawned, reached.looped, reached.kept)

    def follows(self, other: CallView) -> bool:
        """Whether control can run through `other` and then reach this call."""
        if self.fact.position <= other.fact.position:
            return False
        return may_follow(self.function.fact.blocks, other.fact.block, self.fact.block)

    def uses(self, names: Iterable[str]) -> bool:
        """Whether any of the names (or what hangs on them) flows into the arguments or the receiver."""
        wanted = set(names)
        if _root(self.holder) in wanted:
            return True
        texts = (name for argument in self.fact.arguments for name in (*argument.value.names, argument.value.text))
        return any(_root(text) in wanted for text in texts)

    def finding(  # noqa: PLR0913 - a finding has that many parts
        self,
        severity: Severity,
        issue: str,
        recommendation: str,
        *,
        effort: Effort = "M",
        confidence: Confidence = "definite",
        path: tuple[Step, ...] = (),
        contexts: tuple[str, ...] = (),
        settled_by: str = "",
        line: int = 0,
        end_line: int = 0,
    ) -> Finding:
        """A finding at this call; where it stands, hot path and lowering evidence are filled in."""
        function = self.function
        info = function.info
        return Finding(
            rule="",
            severity=severity,
            confidence=confidence if confidence != "definite" or self.link.certain else "likely",
            file=function.module.path,
            line=line or self.fact.line,
            end_line=max(end_line or self.fact.end_line, line or self.fact.line),
            function=info.name,
            issue=issue,
            recommendation=recommendation,
            effort=effort,
            hot_path=info.hot,
            path=path[:LONGEST_PATH],
            entry_path=function.entry_path,
            contexts=(*function.contexts_at(self), *contexts),
            settled_by=settled_by,
        )


class FunctionView:
    """One function: its fact, its calls with their effects, and how it is reached."""

    def __init__(self, module: ModuleView, fact: Function, linked: LinkedFunction) -> None:
        self.module = module
        self.fact = fact
        self.linked = linked
        self.info: FunctionInfo = module.index.functions[linked.id]

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
        return (each for each in self.calls if each.has(*kinds))

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

    def contexts_at(self, call: CallView) -> tuple[str, ...]:
        """Evidence of RULES.md's execution-context rule, one text for each kind of evidence."""
        found = []
        names = [self.name, *(step.function for step in self.entry_path)]
        set_up = next((each for each in names if SET_UP.search(each.rpartition(".")[2])), "")
        if set_up or self.role == "startup":
            found.append(f"set-up: {set_up or 'reached only from start-up, command line or migration'}")
        if BATCH_FOLDER.search(self.module.path):
            found.append(f"batch: file under {self.module.path}")
        if self._is_guarded(call):
            found.append("safeguard: a time-out surrounds it")
        return tuple(found)

    def _is_guarded(self, call: CallView) -> bool:
        around = self.blocks_around(call.fact.block, "with")
        managers = [
            self.calls_by_index[b.subject.call].fact.callee for b in around if b.subject and b.subject.call >= 0
        ]
        outer = call.parent
        while outer is not None:
            managers.append(outer.fact.callee)
            outer = outer.parent
        return any(SAFEGUARDS.search(each) for each in managers)


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
        return _decode_facts(self._facts)

    @cached_property
    def functions(self) -> tuple[FunctionView, ...]:
        """Every function, the module's own code first."""
        return tuple(
            FunctionView(self, fact, linked)
            for fact, linked in zip(self.facts.functions, _decode_links(self._linked), strict=True)
        )

    def function(self, info: FunctionInfo) -> FunctionView | None:
        """The view of any function of the project. Another file is decoded once for each module that asks for it."""
        module = self if info.file == self.path else self._neighbours.get(info.file)
        if module is None:
            paths = [path for path, _ in self.index.files]
            module = self._neighbours[info.file] = ModuleView(self.index, paths.index(info.file))
        number = info.id - module.functions[0].info.id
        return module.functions[number] if 0 <= number < len(module.functions) else None

    def trace(self, start: FunctionInfo, reached: Reached) -> Iterator[Step]:
        """The steps from `start` to where an effect that it reaches happens."""
        functions = self.index.functions
        info = start
        for _ in range(LONGEST_PATH):
            yield Step(info.file, reached.line, info.name)
            if reached.next < 0:
                return
            info = functions[reached.next]
            following = _same_effect(info.reaches, reached)
            if following is None:
                return
            reached = following

    def entity(self, type_text: str) -> Entity | None:
        """The persistent class a type text names."""
        return self.index.entities.get(type_text)


def _same_effect(reaches: Sequence[Reached], wanted: Reached) -> Reached | None:
    same = [each for each in reaches if each.effect.kind == wanted.effect.kind]
    detailed = [each for each in same if each.effect.detail == wanted.effect.detail]
    return min(detailed or same, key=lambda each: each.depth, default=None)


def _unblocked(effect: Effect) -> Effect:
    return Effect(effect.kind, effect.detail, False, effect.certain)


def _root(chain: str) -> str:
    return chain.partition(".")[0].removesuffix("[]")
