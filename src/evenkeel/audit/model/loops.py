"""Loops as rules judge them: which loop repeats a call once per element, and whether loop data reaches the call.

A loop that costs one query an element is a fault; a loop over three constants, over batches, over attempts or over the
events of a stream is not. What tells them apart is read from the loop's text and from what flows out of its targets.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from evenkeel.audit.model.answers import once_a_call, once_a_number
from evenkeel.audit.model.facts import Block, Call, Function, Value
from evenkeel.audit.model.flow import ancestors, loop_numbers
from evenkeel.audit.model.loop_data import bound_call, flows_into, inside, loop_data
from evenkeel.audit.model.view import CallView, FunctionView

LoopKind = Literal["elements", "few", "batches", "attempts", "events", "walk"]

FEW = 10  # elements at most of a loop that is not worth a rewrite
WRAPPERS = frozenset({"enumerate", "reversed", "sorted", "list", "tuple", "set", "zip", "iter", "tqdm", "frozenset"})
VIEWS = frozenset({"items", "keys", "values"})
ENDLESS = frozenset({"count", "cycle", "repeat"})
CLASSES = frozenset({"get_models", "get_app_configs", "__subclasses__"})  # as many as the program has
GROWING = frozenset({"append", "extend", "add", "update", "insert", "setdefault", "appendleft"})
BATCHES = re.compile(r"(^|_|\.)(batch|chunk|bucket|partition|slice|window|page)(s|es|ed|d|ify)?(_|$)|paginat|fetchmany")
BATCH = re.compile(r"(^|_)(batch|chunk)(_|$|\d)")
ARRIVES = re.compile(
    r"event|message|msg|notif|socket|\bws\b|subscri|listen|queue|consum|pubsub|stream|changes|watch|receive|chunk|token"
    r"|delta|iter_(text|json|bytes|lines|any|raw|content)|answer|response|poll|tick|interval",
    re.IGNORECASE,
)  # what an `async for` goes through as it arrives; all else is taken for elements that are there
ATTEMPTS = re.compile(r"attempt|retr(y|ies)|tries|backoff", re.IGNORECASE)
CURSORS = re.compile(
    r"(^|_)(cursor|offset|page|skip|start|last|next|after|before|token|batch|chunk|has_more|more)(_|$)"
)
CLASS_NAME = re.compile(r"(.*\.)?[A-Z][a-z0-9]+[A-Za-z0-9]*")
CONSTANT_NAME = re.compile(r"(.*\.)?_?[A-Z][A-Z0-9_]+")


class Repetition(NamedTuple):
    """A loop that repeats a call once per element of something whose size nobody bounds."""

    loop: int  # number of its block
    block: Block
    names: frozenset[str]  # names that carry loop data inside it

    @property
    def subject(self) -> str:
        """What it goes through, as written."""
        return self.block.subject.text if self.block.subject is not None else ""


@once_a_call
def per_element(call: CallView) -> Repetition | None:
    """The innermost loop that repeats the call with other data for each element; None when no loop does."""
    function = call.function
    for index in loops_of(call):
        kind = loop_kind(function, index)
        if kind in {"elements", "walk"} and not leaves_after(function.fact, call.fact.block, index):
            names = loop_data(function.fact, index)
            if flows_into(call, names):
                return Repetition(index, function.fact.blocks[index], names)
        elif kind in {"attempts", "events"}:
            return None
    return None


def per_look_up(call: CallView) -> Repetition | None:
    """The innermost loop that reads `users[key].team` of a dict: one element of it after the other, whatever the key."""
    function = call.function
    root = call.fact.callee.partition("> ")[2].partition(".")[0]
    if not root.endswith("[]") or not function.types.get(root.removesuffix("[]"), "").startswith("dict["):
        return None
    for index in loops_of(call):
        if loop_kind(function, index) in {"elements", "walk"}:
            return Repetition(index, function.fact.blocks[index], loop_data(function.fact, index))
    return None


def loops_of(call: CallView) -> list[int]:
    """Indices of the loop blocks that repeat a call, innermost first."""
    return list(loop_numbers(call.function.fact.blocks, call.fact.block, call.fact.position))


# -- what kind of loop ---------------------------------------------------------------------------------------------


@once_a_number
def loop_kind(function: FunctionView, index: int) -> LoopKind:
    """What a loop goes through, as far as its text tells; `elements` when nothing bounds it."""
    block = function.fact.blocks[index]
    if block.kind == "while":
        return _while_kind(function.fact, index)
    if block.is_async and block.subject is not None and ARRIVES.search(_source_text(function, block)):
        return "elements" if _iterates_rows(function, block) else "events"
    if succeeds_once(function.fact, index):
        return "attempts"
    if any(BATCH.search(target) for target in block.targets):
        return "batches"
    return _iterable_kind(function, block.subject, 0) if block.subject is not None else "elements"


def size_of(function: FunctionView, value: Value) -> LoopKind:
    """What a loop over a value would go through."""
    return _iterable_kind(function, value, 0)


def succeeds_once(function: Function, index: int) -> bool:
    """Whether a pass that meets no error is the last: `for model in models: try: return ask(model) except ...`."""
    leaving = {each.block for each in function.exits if each.kind == "return"}
    for number, block in enumerate(function.blocks):
        if block.kind == "try" and (block.breaks or (block.exits and number in leaving)):
            around = ancestors(function.blocks, number)
            if index in around and all(
                function.blocks[each].kind in {"try", "with"} for each in around[: around.index(index)]
            ):
                return True
    return False


def _source_text(function: FunctionView, block: Block) -> str:
    """What a loop goes through and how it names it, with the call that a variable was given."""
    subject = block.subject.text if block.subject is not None else ""
    made = bound_call(function, subject, block.start)
    return f"{subject} {' '.join(block.targets)} {made.fact.callee if made is not None else ''}"


def _while_kind(function: Function, index: int) -> LoopKind:
    condition = function.blocks[index].subject
    if condition is None or condition.kind in {"constant", "number"}:
        return "events"
    names = _assigned(function, index)
    if any(ATTEMPTS.search(name) for name in condition.names):
        return "attempts"
    if any(CURSORS.search(name) for name in (*names, *condition.names)) or _counts_up(function, index):
        return "batches"
    return "walk" if not _waits(function, index) else "events"


def _assigned(function: Function, index: int) -> set[str]:
    return {target for each in function.assignments if inside(function, each.block, index) for target in each.targets}


def _counts_up(function: Function, index: int) -> bool:
    condition = function.blocks[index].subject
    tested = set(condition.names) if condition is not None else set()
    return any(
        each.operator in {"+=", "-="} and tested.intersection(each.targets)
        for each in function.assignments
        if inside(function, each.block, index)
    )


def _waits(function: Function, index: int) -> bool:
    return any(
        each.callee.rpartition(".")[2] in {"sleep", "wait"}
        for each in function.calls
        if inside(function, each.block, index)
    )


def _iterates_rows(function: FunctionView, block: Block) -> bool:
    """Whether an `async for` goes through rows of the database and not through what happens one after another."""
    subject = block.subject
    if subject is None:
        return False
    call = function.call(subject.call) if subject.call >= 0 else None
    if call is None and subject.kind == "name":
        call = bound_call(function, subject.text, block.start)
    implicit = any(
        each.link.implicit == "iterate" and each.has("db-read") and each.fact.line == block.line
        for each in function.calls
    )
    return implicit or (call is not None and bool(call.reaches("db-read")))


def _iterable_kind(function: FunctionView, value: Value, depth: int) -> LoopKind:
    if value.kind in {"list", "tuple", "set", "dict"} and 0 <= value.size <= FEW and "*" not in value.text:
        return "few"
    if value.kind == "call" and value.call >= 0:
        return _called_kind(function, value.call, depth)
    if value.kind == "name" and 0 < value.size <= FEW:
        return "few"  # a slice that ends so soon
    if value.kind == "name":
        return _named_kind(function, value.text, depth)
    return "elements"


def _called_kind(function: FunctionView, index: int, depth: int) -> LoopKind:
    call = function.fact.calls[index]
    name = call.callee.rpartition(".")[2]
    values = [each.value for each in call.arguments]
    if name == "range":
        return _range_kind(values)
    if BATCHES.search(name):
        return "batches"
    if name in CLASSES or _is_part_of_few(function, call, values, depth):
        return "few"
    if name in ENDLESS:
        return "attempts"
    if name in VIEWS and call.callee != name:
        return _named_kind(function, call.callee.rpartition(".")[0], depth + 1)
    if name in WRAPPERS and values and depth < 4:
        return _iterable_kind(function, values[0], depth + 1)
    return "elements"


def _is_part_of_few(function: FunctionView, call: Call, values: list[Value], depth: int) -> bool:
    """What two sets have in common, one of them a handful that the program has written down; what is left of such a one."""
    holder = function.fact.calls[call.receiver].callee if call.receiver >= 0 else ""
    if holder in WRAPPERS and depth < 4:
        values_of = [each.value for each in function.fact.calls[call.receiver].arguments]
        own = bool(values_of) and _iterable_kind(function, values_of[0], depth + 1) == "few"
    else:
        own = CONSTANT_NAME.fullmatch(call.callee.rpartition(".")[0]) is not None
    name = call.callee.rpartition(".")[2]
    if name == "intersection":
        return own or any(_iterable_kind(function, each, depth + 1) == "few" for each in values if depth < 4)
    return name == "difference" and own


def _range_kind(values: list[Value]) -> LoopKind:
    if len(values) == 3 and values[2].text not in {"1", "-1"}:
        return "batches"
    if any(ATTEMPTS.search(each.text) for each in values):
        return "attempts"
    if all(each.kind == "number" for each in values) and values:
        return "few" if _span(values) <= FEW else "attempts"
    return "elements"


def _span(values: list[Value]) -> int:
    numbers = [int(each.text.replace("_", "")) for each in values if each.text.replace("_", "").isdigit()]
    return numbers[-1] - (numbers[0] if len(numbers) > 1 else 0) if numbers else FEW + 1


def _named_kind(function: FunctionView, name: str, depth: int) -> LoopKind:
    """A name: a small literal it was given, a class (an enumeration), a constant; else unbounded."""
    literal = _literal(function, name)
    if literal is not None and depth < 4:
        return _iterable_kind(function, literal, depth + 1)
    only = _only_value(function.fact, name)
    if only is not None and depth < 4 and _iterable_kind(function, only, depth + 1) == "few":
        return "few"
    last = name.rpartition(".")[2]
    if CONSTANT_NAME.fullmatch(last) or CLASS_NAME.fullmatch(name) or last == "__members__":
        return "few"
    if name.startswith(("self.", "cls.")) and CONSTANT_NAME.fullmatch(last):
        return "few"
    return "batches" if BATCHES.search(last) and last.endswith(("batches", "chunks")) else "elements"


def _literal(function: FunctionView, name: str) -> Value | None:
    """The one literal that a local or module-level name is given, when nothing adds to it."""
    if any(name == each.name for each in function.fact.parameters):
        return None
    for fact in (function.fact, function.module.functions[0].fact):
        given = [each.value for each in fact.assignments if name in each.targets]
        if len(given) == 1 and given[0].kind in {"list", "tuple", "set", "dict"}:
            return None if _grows(fact, name) else given[0]
        if given:
            return None
    return None


def _only_value(function: Function, name: str) -> Value | None:
    """The call whose result a local name is given, when it is given nothing else and nothing adds to it: `set(STATES)`."""
    given = [each for each in function.assignments if name in each.targets]
    if len(given) != 1 or given[0].unpacked or given[0].value.kind != "call" or _grows(function, name):
        return None
    bound = any(name == each.name for each in function.parameters) or any(name in b.targets for b in function.blocks)
    return None if bound else given[0].value


def _grows(function: Function, name: str) -> bool:
    parts = [each.callee.rpartition(".") for each in function.calls]
    called = any(holder == name and method in GROWING for holder, _, method in parts)
    return called or any(f"{name}[]" in each.targets for each in function.assignments)


# -- control flow --------------------------------------------------------------------------------------------------


def leaves_after(function: Function, block: int, loop: int) -> bool:
    """Whether what runs in `block` is followed by leaving the loop for good, so that it runs at most once."""
    leaving = {each.block for each in function.exits if each.kind in {"return", "raise"}}
    for each in ancestors(function.blocks, block):
        if function.blocks[each].breaks or (function.blocks[each].exits and each in leaving):
            return True
        if each == loop:
            return False
    return False
