"""Spawns: tasks and threads that a loop starts, or awaitables that it gathers, one for each element.

A spawn is bounded when something holds the number of those that run at once: a semaphore around the work, a pool, a
batch, a check of how many there are. Where the elements come from says how many there may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from evenkeel.audit.model.facts import Block, Value
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.index import FunctionInfo, Reached
from evenkeel.audit.model.loop_data import bound_call, inside
from evenkeel.audit.model.loops import LoopKind, leaves_after, loop_kind, loops_of
from evenkeel.audit.model.origins import origin_calls, origin_parameters
from evenkeel.audit.model.view import CallView, FunctionView

Source = Literal["input", "stream", "unknown"]  # parameters, rows, answers; a queue or endless stream; anything else

OF_THE_FRAMEWORK = frozenset({"background", "on-commit"})  # run one after another, or once
BOUNDS = re.compile(
    r"(^|[._])(sem|semaphore|limit|limiter|throttle|slots?|pool|capacity_limiter)(\(|$|[._])", re.IGNORECASE
)
SEMAPHORE = re.compile(r"\.(Bounded)?Semaphore$|\.CapacityLimiter$")
WAITS = re.compile(r"(^|\.)(wait|join|result|acquire|as_completed)$")
CAPACITY = re.compile(r"len\(.*[<>]|max_|limit|capacity|slots|free|full", re.IGNORECASE)
LIMITED = re.compile(r"\blimit\((?!None)|\bLIMIT\b|\bfirst\(|fetchmany\(", re.IGNORECASE)
LIMITS = frozenset({"limit", "max_results", "count", "MaxNumberOfMessages", "n", "batch_size", "page_size"})
SETTLED = frozenset({"few", "batches", "attempts"})
COLLECTORS = frozenset({"append", "add"})


class Spawn(NamedTuple):
    """One place where a loop starts or gathers work: the call for an element, the loop's block, what is run."""

    call: CallView
    loop: int
    gathered: CallView | None  # the gather that runs them, when they are not started one by one

    @property
    def block(self) -> Block:
        """The loop."""
        return self.call.function.fact.blocks[self.loop]

    @property
    def works(self) -> tuple[FunctionInfo, ...]:
        """The project functions that run for each element."""
        inner = [each for each in self.call.function.calls if each.fact.parent == self.call.index and _is_spawned(each)]
        found = [*self.call.runs, *(self.call.targets if self.gathered else ())]
        found += [run for each in inner for run in each.runs]
        return tuple({each.id: each for each in found}.values())


def spawns(function: FunctionView) -> Iterator[Spawn]:
    """Every spawn of a function that stands in a loop, in order of lines; bounded ones too."""
    for call in function.calls_reaching("gather", "spawn"):
        if call.has("gather"):
            yield from _gathered(call)
        elif _starts(call):
            loops = loops_of(call)
            if loops and not leaves_after(function.fact, call.fact.block, loops[0]):
                yield Spawn(call, loops[0], None)


def _starts(call: CallView) -> bool:
    effect = call.effect("spawn")
    if effect is not None:
        pooled = call.function.role_of(call.link.receiver) == "pool"
        return not pooled and effect.detail not in OF_THE_FRAMEWORK and not call.link.implicit
    return _is_spawned(call) and call.parent is not None and not call.parent.has("spawn")


def _is_spawned(call: CallView) -> bool:
    return call.link.mode == "spawn" and not call.link.implicit and bool(call.link.runs)


def _gathered(gather: CallView) -> Iterator[Spawn]:
    """`gather(*[f(x) for x in xs])`, also through a variable that a comprehension or a loop filled."""
    function = gather.function
    for argument in gather.fact.arguments:
        if argument.value.kind == "comprehension":
            yield from _in_comprehension(gather, argument.value, gather.index)
        elif argument.value.kind == "name" and argument.keyword in {"*", ""}:
            yield from _in_variable(gather, argument.value.text)
        elif argument.value.kind == "call" and argument.value.call >= 0:
            mapped = function.call(argument.value.call)
            if mapped is not None and mapped.name == "map" and mapped.runs:
                yield Spawn(mapped, -1, gather)


def _in_comprehension(gather: CallView, value: Value, parent: int) -> Iterator[Spawn]:
    calls = [each for each in gather.function.calls if each.fact.parent == parent and _names(each, value)]
    made = [each for each in calls if not each.fact.awaited and each.loops and not each.has("spawn")]
    if made:
        yield Spawn(made[-1], loops_of(made[-1])[0], gather)


def _names(call: CallView, value: Value) -> bool:
    return call.fact.callee in value.names


def _in_variable(gather: CallView, name: str) -> Iterator[Spawn]:
    function = gather.function
    for assignment in function.fact.assignments:
        earlier = name in assignment.targets and assignment.position < gather.fact.position
        if earlier and assignment.value.kind == "comprehension":
            yield from _in_comprehension(gather, assignment.value, -1)
    for call in function.calls:
        collects = call.holder == name and call.name in COLLECTORS and call.fact.position < gather.fact.position
        inner = [each for each in function.calls if collects and each.fact.parent == call.index and each.loops]
        inner = inner or (_bound_before(call) if collects else [])
        if inner and not inner[-1].has("spawn"):
            yield Spawn(inner[-1], loops_of(inner[-1])[0], gather)


def _bound_before(collected: CallView) -> list[CallView]:
    """`task = fetch(url)`, `tasks.append(task)`: what the name stands for in this pass."""
    value = collected.argument(0)
    if value is None or value.kind != "name":
        return []
    call = bound_call(collected.function, value.text, collected.fact.position)
    awaited = call is None or call.fact.awaited or call.loops[:1] != collected.loops[:1]
    return [] if call is None or awaited else [call]


# -- what bounds them ----------------------------------------------------------------------------------------------


def is_bounded(spawn: Spawn) -> bool:
    """Whether something holds the number of works that run at once."""
    if any(_is_shared(spawn, work, each) for work in spawn.works for each in work.reaches):
        return True
    if any(BOUNDS.search(name) for name in _names_around(spawn)):
        return True
    return _kind(spawn) in SETTLED or _is_capped(spawn) or _is_limited(spawn) or _is_waited_for(spawn)


def _is_shared(spawn: Spawn, work: FunctionInfo, reached: Reached) -> bool:
    """Whether a work waits at a semaphore that the others wait at too: not one that it makes for its own parts."""
    if reached.effect.kind != "lock" or reached.effect.detail != "semaphore":
        return False
    module = spawn.call.function.module
    names = {step.function.partition(".<locals>")[0] for step in module.trace(work, reached)}
    names.discard(spawn.call.function.name)
    files = {step.file for step in module.trace(work, reached)}
    inside = (module.neighbour(each) for each in files)
    made = (f.named(name) for f in inside if f is not None for name in names)
    return not any(SEMAPHORE.search(c.library) for f in made if f is not None for c in f.calls)


def _is_waited_for(spawn: Spawn) -> bool:
    """Whether the same pass waits for what it has started: `future = submit(...)`, `future.result()`."""
    function, started = spawn.call.function, spawn.call
    names = {t for a in function.fact.assignments if a.value.call == started.index for t in a.targets}
    later = (
        each
        for each in function.calls
        if each.fact.position > started.fact.position
        and each.fact.block == started.fact.block
        and not each.fact.callee.startswith("<")
    )
    return spawn.loop >= 0 and any(each.name in {"result", "join"} and each.holder in names for each in later)


def _kind(spawn: Spawn) -> LoopKind:
    if spawn.loop < 0:
        return "elements"
    function = spawn.call.function
    kinds = [loop_kind(function, each) for each in loops_of(spawn.call)]
    block = spawn.block
    if block.subject is not None and block.subject.kind == "name" and block.subject.size >= 0:
        return "batches"  # a slice with an end
    if block.subject is not None and block.subject.text.startswith("range(") and "len(" not in block.subject.text:
        return "few"  # as many workers as somebody asked for
    outer_batches = any(kind == "batches" for kind in kinds[1:]) and bool(spawn.gathered)
    return "batches" if outer_batches else kinds[0]


def _names_around(spawn: Spawn) -> Iterator[str]:
    """Chains that could name a limiter: arguments, receivers and `with` managers of what runs in the loop."""
    function = spawn.call.function
    yield from (name for argument in spawn.call.fact.arguments for name in argument.value.names)
    if spawn.loop >= 0:
        yield from (each.fact.callee for each in function.calls if inside(function.fact, each.fact.block, spawn.loop))
    for index in ancestors(function.fact.blocks, spawn.call.fact.block):
        block = function.fact.blocks[index]
        if block.kind == "with" and block.subject is not None:
            yield block.subject.text


def _is_capped(spawn: Spawn) -> bool:
    """Whether the loop looks at how many there are before it starts one more."""
    blocks = spawn.call.function.fact.blocks
    around = set(ancestors(blocks, spawn.loop)) - {0} if spawn.loop >= 0 else set()
    conditions = (b.subject for i, b in enumerate(blocks) if b.kind in {"if", "while"} and {i, b.parent} & around)
    return any(each is not None and CAPACITY.search(each.text) for each in conditions) or _waits_when_full(spawn)


def _waits_when_full(spawn: Spawn) -> bool:
    """Whether a pass waits before it starts one more when there are enough: `if len(pending) >= 5: await wait(pending)`."""
    fact, position = spawn.call.function.fact, spawn.call.fact.position
    around = ancestors(fact.blocks, spawn.call.fact.block)
    for number, block in enumerate(fact.blocks):
        full = block.kind in {"if", "while"} and block.subject is not None and CAPACITY.search(block.subject.text)
        if full and block.end < position and block.parent in around and inside(fact, number, spawn.loop):
            waiting = (each for each in fact.calls if inside(fact, each.block, number))
            if any(each.awaited or WAITS.search(each.callee) for each in waiting):
                return True
    return False


def _is_limited(spawn: Spawn) -> bool:
    """Whether the elements come from a query or call that gives at most so many."""
    subject = _subject(spawn)
    if subject is None:
        return False
    for call in origin_calls(spawn.call.function, subject, _position(spawn)):
        if any(LIMITED.search(each) for each in (*call.query, f"{call.name}(")):
            return True
        if any(argument.keyword in LIMITS for argument in call.fact.arguments):
            return True
    return False


def _subject(spawn: Spawn) -> Value | None:
    if spawn.loop >= 0:
        return spawn.block.subject
    arguments = spawn.call.fact.arguments
    return arguments[-1].value if arguments else None


def _position(spawn: Spawn) -> int:
    return spawn.block.start if spawn.loop >= 0 else spawn.call.fact.position


# -- where the elements come from ----------------------------------------------------------------------------------


def source_of(spawn: Spawn) -> Source:
    """Whether the number of elements is somebody's input, an endless stream, or not known."""
    function = spawn.call.function
    if _drains(spawn):
        return "stream"
    subject = _subject(spawn)
    if subject is None:
        return "unknown"
    position = _position(spawn)
    calls = list(origin_calls(function, subject, position))
    if any(call.reaches("db-read", "network", "dequeue", "file") for call in calls):
        return "input"
    return "input" if _is_given(function, subject, position) else "unknown"


def _is_given(function: FunctionView, subject: Value, position: int) -> bool:
    """Whether the collection is a parameter, or data of a handler's parameter, and no service's attribute."""
    given = origin_parameters(function, subject, position)
    bare = {each for each in subject.names or (subject.text,) if each in given}
    return bool(bare) or (bool(given) and function.info.entry in {"handler", "websocket", "task"})


def _drains(spawn: Spawn) -> bool:
    """Whether the loop, or one around it, takes work from a queue or stream again and again."""
    function = spawn.call.function
    if spawn.gathered is not None and spawn.gathered.fact.awaited:
        return False  # the next round waits for this one
    for index in loops_of(spawn.call):
        block = function.fact.blocks[index]
        if block.is_async:
            return True
        inner = [each for each in function.calls if inside(function.fact, each.fact.block, index)]
        if block.kind == "while" and any(each.reaches("dequeue", "db-read") for each in inner):
            return True
    return False
