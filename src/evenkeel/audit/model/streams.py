"""Streams: loops over what arrives bit by bit, and callbacks that pass one bit on, with a database write for each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.accesses import KINDS, Access, access
from evenkeel.audit.model.answers import once_a_number
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.index import FunctionInfo
from evenkeel.audit.model.loop_data import bound_call, flows_into, inside, loop_data
from evenkeel.audit.model.loops import leaves_after, loop_kind, loops_of
from evenkeel.audit.model.masks import mask_of
from evenkeel.audit.model.shapes import STANDS
from evenkeel.audit.model.view import CallView, FunctionView

BITS = re.compile(
    r"(^|_)(chunk|token|delta|event|frame|part|piece|segment|progress|update|evt|ev)s?(_|$|\d)", re.IGNORECASE
)
STREAMS = re.compile(r"stream|chunk|token|delta|events?\b|sse|iter_(text|lines|bytes|any)|aiter", re.IGNORECASE)
RESPONSES = re.compile(r"\baiter_(lines|text|raw|sse)\b")  # of an answer that is read while it is being made
ENDS = re.compile(
    r"done|final|finish|end\b|_end|ended|complete|last|stop|usage|error|fail|result|closed|== *\d|%|len\(|>=|>|size|count"
    r"|interval|elapsed|time\(|batch|flush|tool",
    re.IGNORECASE,
)
TELLS = frozenset({"publish", "broadcast", "emit", "send", "put_nowait", "notify"})
LISTENERS = re.compile(r"(^|[._])(bus|hub|broadcast\w*|listeners?|subscribers?|fan_?out|ring|streams?)$", re.IGNORECASE)
OF_STREAMS = re.compile(r"stream|chunk|token|delta", re.IGNORECASE)  # tables of bits
WRITES = mask_of("db-write")
REMEMBERED = 1_024
_writers: dict[int, tuple[FunctionInfo, bool]] = {}  # what callees write is asked by each of their callers
ROWS = frozenset({"read", "find-or-insert", "refresh"})


class EventWrite(NamedTuple):
    """A write that happens for each bit of a stream; `block` is the loop, None for a callback."""

    call: CallView
    access: Access
    block: Block | None
    certain: bool


def event_writes(function: FunctionView) -> Iterator[EventWrite]:
    """Database writes that a function makes once per streamed bit."""
    for call in function.calls_repeating(*KINDS) if function.shape & STANDS["for"] else ():
        loop = _stream_loop(call)
        if loop >= 0 and not _only_at_the_end(call, loop):
            found = _write(call)
            if found is not None:
                yield EventWrite(call, found, function.fact.blocks[loop], _goes_out(function, loop))
    yield from _in_callback(function)


def _write(call: CallView) -> Access | None:
    """A write that reaches the database in the same pass; a row that only waits in the session is none."""
    if call.link.implicit in {"enter", "inject"}:
        return None
    found = access(call)
    if found is not None and found.kind not in ROWS and found.kind != "pending":
        return found
    flushed = next((each for each in call.reaches("commit", "db-flush") if each.direct and not each.looped), None)
    return Access("save", flushed) if flushed is not None and found is None else None


def _stream_loop(call: CallView) -> int:
    """The loop over a stream that repeats a call, or -1."""
    function = call.function
    for index in loops_of(call):
        block = function.fact.blocks[index]
        if leaves_after(function.fact, call.fact.block, index):
            return -1
        if block.kind == "for" and _is_stream(function, index, block):
            commits = call.has("commit", "db-flush")
            return index if commits or flows_into(call, loop_data(function.fact, index)) else -1
    return -1


def _is_stream(function: FunctionView, index: int, block: Block) -> bool:
    """Whether a loop goes through bits of a stream: by what it iterates and names, or because it passes them on."""
    if block.subject is None:
        return False
    named = any(BITS.search(each) for each in block.targets)
    text = block.subject.text
    if block.is_async:
        of_rows = any(function.module.entity(function.types.get(each, "")) is not None for each in block.targets)
        passed_on = _goes_out(function, index) and bool(STREAMS.search(text))
        arrives = named or passed_on or RESPONSES.search(text) is not None
        return loop_kind(function, index) == "events" and not of_rows and arrives
    source = function.call(block.subject.call) if block.subject.call >= 0 else None
    source = source or bound_call(function, text, block.start)
    streamed = source is not None and any(each.effect.detail == "llm" for each in source.reaches("network"))
    return (streamed and named) or (_goes_out(function, index) and named and bool(STREAMS.search(text)))


@once_a_number
def _goes_out(function: FunctionView, loop: int) -> bool:
    """Whether the loop passes each bit on: it yields, or sends to a client."""
    yields = any(each.kind == "yield" and inside(function.fact, each.block, loop) for each in function.fact.exits)
    return yields or any(inside(function.fact, each.fact.block, loop) for each in function.calls_with("stream"))


def _only_at_the_end(call: CallView, loop: int) -> bool:
    """Whether a condition inside the loop lets the write run for the last bit, for a batch, or for few of them."""
    function = call.function
    blocks = function.fact.blocks
    for each in function.blocks_around(call.fact.block, "if", "else", "case", "except", "finally"):
        if not inside(function.fact, blocks.index(each), loop):
            break
        if each.kind in {"except", "finally", "case"} or each.subject is None or ENDS.search(each.subject.text):
            return True
    return False


def _in_callback(function: FunctionView) -> Iterator[EventWrite]:
    """A function that is given one bit, sends it to a client and writes it."""
    if function.number == 0:  # a module's own code
        return
    sends = function.does("stream")
    if not (sends and (bits := [each.name for each in function.fact.parameters if BITS.search(each.name)])):
        yield from _told_at_once(function)
        return
    for call in function.calls_reaching(*KINDS):
        if call.loops or function.blocks_around(call.fact.block, "if", "else", "case", "except", "finally"):
            continue
        found = _write(call)
        if found is not None and flows_into(call, frozenset(bits)):
            yield EventWrite(call, found, None, False)


def _tells(callee: str) -> bool:
    holder, _, name = callee.rpartition(".")
    return name in TELLS and LISTENERS.search(holder) is not None


def _may_write_bits(function: FunctionView) -> bool:
    """Whether a table of bits may be written in it: told before its code is decoded."""
    if not function.mask & WRITES:
        return False
    functions = function.module.index.functions
    for link in function.links_marked(WRITES):
        if any(each.kind == "db-write" and OF_STREAMS.search(each.detail) for each in link.effects):
            return True
        if any(OF_STREAMS.search(bound) for _, bound in link.variables):
            return True
        if any(_writes_bits(functions[each]) for each in (*link.targets, *link.runs)):
            return True
    return False


def _writes_bits(info: FunctionInfo) -> bool:
    """Whether a callee may write to such a table, or runs a statement that its caller names."""
    known = _writers.get(info.id)
    if known is None or known[0] is not info:
        if len(_writers) >= REMEMBERED:
            _writers.clear()
        found = any(
            each.statement >= 0 or (each.effect.kind == "db-write" and OF_STREAMS.search(each.effect.detail))
            for each in info.reaches
        )
        known = _writers[info.id] = (info, found)
    return known[1]


def _told_at_once(function: FunctionView) -> Iterator[EventWrite]:
    """A function that hands one bit to those who listen, and writes it in the same step, whatever it is called with."""
    if not _may_write_bits(function):
        return
    writes = function.calls_reaching("db-write")
    told = [each for each in (*function.fact.calls, *function.linked.implicit) if _tells(each.callee)]
    bits = {name for each in told for a in each.arguments for name in a.value.names if BITS.search(name)}
    if not bits:
        return
    for call in writes:
        if call.fact in told or call.loops or function.blocks_around(call.fact.block, "if", "else", "case", "except"):
            continue
        written = next((each for each in call.reaches("db-write") if OF_STREAMS.search(each.effect.detail)), None)
        if written is not None and flows_into(call, frozenset(bits)):
            yield EventWrite(call, Access("save", written), None, False)
            return
