"""One call as a rule sees it: what it resolves to, and what it does, itself and through what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from evenkeel.audit.model.effects import SAVED, Effect, EffectKind, bind_variables, is_new, with_inserts
from evenkeel.audit.model.evidence import execution_contexts
from evenkeel.audit.model.facts import Argument, Block, Call, Value
from evenkeel.audit.model.finding import Confidence, Effort, Finding, Severity, Step
from evenkeel.audit.model.flags import flags_passed, settled
from evenkeel.audit.model.flow import loops_around, may_follow
from evenkeel.audit.model.index import FunctionInfo, Link, Reached
from evenkeel.audit.model.masks import INSERTS, SAVES, mask_of, mask_of_function
from evenkeel.audit.model.reach import Reach
from evenkeel.audit.model.sql import stated, texts_passed

if TYPE_CHECKING:
    from evenkeel.audit.model.view import FunctionView

LONGEST_PATH = 12
LONGEST_TEXT = 60
LONGEST_SQL = 8_000
DIVIDED = re.compile(r"^([^/]+?)(?:\./)+\.")  # a chain divides without spaces: `folder./.name` is `(folder / ...).name`
IMPLIED = {"iterate": "for ... in {}", "set": "{} = ...", "enter": "with {}", "leave": "with {}", "evaluate": "if {}"}


class CallView:
    """One call of a function: its fact, what it resolves to, and what it does."""

    __slots__ = ("_loops", "_reached", "_targets", "fact", "function", "index", "link")

    def __init__(self, function: FunctionView, index: int, fact: Call, link: Link) -> None:
        self.function = function
        self.index = index
        self.fact = fact
        self.link = link
        self._reached: dict[tuple[EffectKind, ...], tuple[tuple[Reach, ...], tuple[Reach, ...]]] | None = None
        self._loops: tuple[Block, ...] | None = None
        self._targets: tuple[FunctionInfo, ...] | None = None

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
    def written(self) -> str:
        """What it is, as a reader of the code finds it: `(folder / ...).glob`, `select(...).all`, `for ... in rows`."""
        implicit = self.link.implicit
        text = self.fact.callee.partition("> ")[2] if implicit else self.fact.callee
        outer = self.receiver
        if text.startswith("<call>") and outer is not None:
            text = f"{outer.written}(...){text.removeprefix('<call>')}"
        text = DIVIDED.sub(r"(\1 / ...).", text.replace("<str>", '"..."').replace("<expr>", "(...)"))
        text = text if len(text) <= LONGEST_TEXT else f"...{text[3 - LONGEST_TEXT :]}"
        return IMPLIED.get(implicit, "{}").format(text)

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
        if not self.link.targets:
            return ()
        if self._targets is None:
            functions = self.function.module.index.functions
            self._targets = tuple([functions[each] for each in self.link.targets])
        return self._targets

    @property
    def runs(self) -> tuple[FunctionInfo, ...]:
        """Project functions it runs through an argument (offload, spawn, gather)."""
        functions = self.function.module.index.functions
        return tuple([functions[each] for each in self.link.runs])

    @property
    def query(self) -> tuple[str, ...]:
        """Steps of the query it executes, as written; one step holding the SQL when it is text."""
        return self.link.query

    @property
    def loops(self) -> tuple[Block, ...]:
        """Loops that repeat it, innermost first."""
        if self._loops is None:
            self._loops = loops_around(self.function.fact.blocks, self.fact.block, self.fact.position)
        return self._loops

    @property
    def parent(self) -> CallView | None:
        """The call in whose arguments it stands."""
        return self.function.call(self.fact.parent) if self.fact.parent >= 0 else None

    @property
    def receiver(self) -> CallView | None:
        """The call whose result it is called on."""
        return self.function.call(self.fact.receiver) if self.fact.receiver >= 0 else None

    @property
    def step(self) -> Step:
        """This call as a step of a witness path."""
        return Step(self.function.module.path, self.fact.line, self.function.name)

    def has(self, *kinds: EffectKind) -> bool:
        """Whether the call itself has an effect of these kinds."""
        return bool(self.link.effects) and any(each.kind in kinds for each in self.link.effects)

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

    def reaches(self, *kinds: EffectKind, spawned: bool = False) -> tuple[Reach, ...]:
        """Effects of these kinds that making this call has, nearest first, each with its witness path.

        Work that runs in a task of its own is left out unless `spawned`. `effect.blocking` holds only for effects that
        block the calling thread: what an offload or an async callee does is not the caller's blocking.
        """
        link = self.link
        if not (link.effects or link.targets or link.runs):
            return ()
        if self._reached is None:
            self._reached = {}
        known = self._reached.get(kinds)
        if known is None:
            found = tuple(self._find(kinds))
            waited = tuple([each for each in found if not each.spawned]) if found else found
            known = self._reached[kinds] = (waited, found)
        return known[spawned]

    def _find(self, kinds: tuple[EffectKind, ...]) -> list[Reach]:
        link = self.link
        found = [Reach.at(each, self._here) for each in link.effects if each.kind in kinds] if link.effects else []
        if not (link.targets or link.runs):
            return found
        wanted, index = mask_of(*kinds), self.function.module.index
        if is_new(link.variables) and wanted & INSERTS:
            wanted |= SAVES
        for number in (*link.targets, *link.runs):
            if not mask_of_function(number, index) & wanted:
                continue
            target = index.functions[number]
            for each in target.reaches:
                if each.statement >= 0:
                    stated_here = self._stated(target, each, kinds) if self._meets(target, each) else ()
                    found.extend(self._through(target, each, effect) for effect in stated_here)
                elif each.effect.kind in kinds and self._meets(target, each):
                    found.append(self._through(target, each, each.effect))
                if is_new(link.variables) and SAVED.get(each.effect.kind) in kinds and self._meets(target, each):
                    heard = with_inserts((bind_variables(each.effect, link.variables),), link.variables)
                    found.extend(self._through(target, each, effect) for effect in heard[1:])
        found.sort(key=_depth)
        return found

    def _here(self) -> tuple[Step, ...]:
        return (self.step,)

    def _meets(self, target: FunctionInfo, reached: Reached) -> bool:
        """Whether the flag that guards an effect of the callee may be raised by this call's arguments."""
        return not reached.guard or settled(reached.guard, flags_passed(self.fact, target.parameters)) != 0

    def _stated(self, target: FunctionInfo, reached: Reached, kinds: tuple[EffectKind, ...]) -> Iterator[Effect]:
        """What the callee's effect is once the statement is known that this call passes to it."""
        text = self.texts_for(target).get(reached.statement, "")
        effects = stated(reached.effect, text) if text else (reached.effect,)
        return (each for each in effects if each.kind in kinds)

    def texts_for(self, target: FunctionInfo) -> dict[int, str]:
        """The SQL that it passes to a function, by parameter."""
        function = self.function
        return texts_passed(function.fact, self.fact, target.parameters, function.module.index.statements, LONGEST_SQL)

    def _through(self, target: FunctionInfo, reached: Reached, effect: Effect) -> Reach:
        link = self.link
        if link.variables:
            effect = bind_variables(effect, link.variables)
        run = bool(link.runs) and target.id in link.runs
        if effect.blocking and (target.is_async or (run and link.mode)):
            effect = _unblocked(effect)
        return Reach(
            effect,
            lambda: (self.step, *self.function.module.trace(target, reached)),
            reached.depth + 1,
            spawned=reached.spawned or (run and link.mode == "spawn"),
            looped=reached.looped,
            kept=reached.kept,
        )

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
            contexts=(*execution_contexts(function, self), *contexts),
            settled_by=settled_by,
        )


def _depth(reach: Reach) -> int:
    return reach.depth


def _unblocked(effect: Effect) -> Effect:
    return Effect(effect.kind, effect.detail, False, effect.certain)


def _root(chain: str) -> str:
    return chain.partition(".")[0].removesuffix("[]")
