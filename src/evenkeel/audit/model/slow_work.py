"""Slow work in open transactions: what waits, since when the transaction is open, and whether a loop repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from evenkeel.audit.model.answers import once_a_function
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Confidence, Severity
from evenkeel.audit.model.regions import (
    WRITES,
    Region,
    judged_deeper,
    may_hold,
    opened_by,
    regions,
    writes_database,
)
from evenkeel.audit.model.view import CallView, FunctionView, Reach

SLOW: tuple[EffectKind, ...] = ("network", "sleep", "subprocess", "file")
# A round trip in the same data centre, as short as the database's own; a question that the kernel's cache answers.
QUICK = frozenset({"redis", "memcache", "cache", "directory", "look-up", "entry"})
BROKER = "broker"  # of a task queue
PUT_OFF = frozenset({"countdown", "eta", "delay", "_defer_by", "_defer_until", "schedule", "run_at"})
NOTHING = re.compile(r"^not [\w.]+$|^[\w.]+ is None$")
AFTER_COMMIT = (
    "Queue the task after the commit (`transaction.on_commit`, an outbox): a worker that is quicker does not find what it "
    "is about."
)
ABOUT_IT = "whether the task, which is queued deep inside, is about what this transaction writes"
DEEPEST = 3  # steps of a witness path to a task that is queued: the call, a service, a wrapper of the queue
WORDS = {"network": "a network call", "sleep": "a sleep", "subprocess": "a subprocess", "file": "file access"}


@dataclass(frozen=True, slots=True)
class SlowWork:
    """One slow call while a transaction is open. `opener` opened it (the call itself: it was open around all).

    Tasks that one function queues in one transaction are one fault: one commit before them mends all."""

    call: CallView
    region: Region
    opener: CallView
    reach: Reach
    others: int = 0  # tasks that the same function queues in the same transaction afterwards

    @property
    def what(self) -> str:
        """The slow thing in words."""
        return "a call to the task queue's broker" if self.is_handed_over else WORDS[self.reach.effect.kind]

    @property
    def is_handed_over(self) -> bool:
        """Whether it puts a task into a queue: quick, but a worker may take it up before the commit."""
        return self.reach.effect.detail == BROKER

    @property
    def since(self) -> str:
        """The transaction in words."""
        if self.region.kind == "transaction" and self.region.opened == "with":
            return f"the transaction opened in line {self.region.line}"
        if self.region.kind == "transaction" or self.opener is self.call:
            return "the transaction around it"
        return f"the transaction opened in line {self.opener.line}"

    @property
    def question(self) -> str:
        """The fact that would settle it; "" when none is missing."""
        if self.confidence != "needs-context":
            return ""
        return ABOUT_IT if self.is_handed_over else "whether the caller ends the transaction before"

    @property
    def severity(self) -> Severity:
        """HIGH, MEDIUM for files and for tasks that are queued; one lower in what runs once."""
        once = self.call.function.role == "startup"
        if self.reach.effect.kind == "file" or self.is_handed_over:
            return "LOW" if once else "MEDIUM"
        return "MEDIUM" if once else "HIGH"

    @property
    def confidence(self) -> Confidence:
        """Definite for explicit transactions; autobegin is inferred from the order of calls.

        A session that the caller passed in may have been given back by then; only what this function wrote is sure to
        be waiting for its commit."""
        if self.is_handed_over and len(self.reach.path) > DEEPEST:
            return "needs-context"
        if self.region.kind == "transaction":
            return "definite" if self.reach.effect.certain and self.region.certain else "likely"
        own = self.region.opened in {"with", "assigned"} or (self.region.opened == "shared" and self._begins_here())
        return "likely" if own or self.has_written() else "needs-context"

    def _begins_here(self) -> bool:
        """Whether nobody of ours runs before this function: a request or a job begins with it."""
        return bool(self.call.function.info.entry)

    def has_written(self) -> bool:
        """Whether something waits for the commit that was written since the transaction was opened."""
        start, end = self.opener.fact.position, self.call.fact.position
        writing = self.call.function.calls_reaching(*WRITES)
        return any(start <= c.fact.position < end and writes_database(c) for c in writing)

    @property
    def repeated(self) -> bool:
        """Whether a loop inside the region repeats it."""
        return any(self._is_inside(block) for block in self.call.loops if block.kind != "while")

    def _is_inside(self, loop: Block) -> bool:
        return self.region.start < loop.start and loop.end <= self.region.end


@once_a_function
def slow_work(function: FunctionView) -> Iterator[SlowWork]:
    """Every slow call of a function that a transaction is open around, each once; of tasks that are queued the first."""
    queued: dict[tuple[Region, bool, Confidence], list[SlowWork]] = {}
    found = list(_each_slow(function))
    for each in found:
        if each.is_handed_over:
            queued.setdefault((each.region, each.repeated, each.confidence), []).append(each)
    for each in found:
        alike = queued[each.region, each.repeated, each.confidence] if each.is_handed_over else [each]
        if each is alike[0]:
            yield replace(each, others=len(alike) - 1)


def _each_slow(function: FunctionView) -> Iterator[SlowWork]:
    held = regions(function) if may_hold(function) else ()
    slow = function.calls_reaching(*SLOW) if held else ()
    seen: set[tuple[int, str]] = set()
    for call in slow:
        if seen and function.role_of(call.link.receiver) == "response":
            continue  # the rest of an answer whose request is reported
        found = _judge(function, call, held)
        if found is not None and (call.line, found.reach.effect.kind) not in seen:
            seen.add((call.line, found.reach.effect.kind))
            yield found


def _judge(function: FunctionView, call: CallView, held: tuple[Region, ...]) -> SlowWork | None:
    reach = next((each for each in call.reaches(*SLOW) if each.effect.detail not in QUICK), None)
    if reach is None or judged_deeper(call, reach):
        return None
    for region in held:
        if region.kind == "connection" or not region.covers(call):
            continue
        if reach.effect.kind == "file" and region.kind != "transaction":
            continue
        opener = opened_by(region, function, call)
        if opener is not None and not (region.kind != "transaction" and _refuses(function, call, opener)):
            work = SlowWork(call, region, opener, reach)
            if work.is_handed_over and _is_put_off(call):
                return None
            return work if not work.is_handed_over or region.kind == "transaction" or work.has_written() else None
    return None


def _is_put_off(call: CallView) -> bool:
    """Whether the task is queued for later on purpose, `apply_async(countdown=5)`: the commit comes first."""
    given = (each for each in call.fact.arguments if each.keyword in PUT_OFF)
    return any(each.value.text not in {"0", "None"} for each in given)


def _refuses(function: FunctionView, call: CallView, opener: CallView) -> bool:
    """Whether the call is how a guard says no, `if not user: return bot.answer(...)`: it ends what has only been read."""
    block = function.fact.blocks[call.fact.block]
    if block.kind != "if" or not block.exits or block.subject is None or not NOTHING.search(block.subject.text):
        return False
    last = not any(call.fact.position < each.fact.position <= block.end for each in function.calls)
    since = (c for c in function.calls if opener.fact.position <= c.fact.position < call.fact.position)
    return last and not any(writes_database(each) for each in since)
