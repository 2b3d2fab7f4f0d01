"""A full queue answered by doing the work at once

A bounded queue takes writes off the request path; when it is full, the caller does the write itself: in `except
QueueFull`, behind `if queue.full()`, or after a put that timed out.

**Why it costs.** The fallback runs exactly when the database is already too slow to keep up. Every request then waits
for a write of its own, on top of those the worker makes: what was meant as a buffer turns overload into latency, and
the order of the writes is lost besides. `put_nowait` raises `QueueFull` so that the caller decides
(https://docs.python.org/3/library/asyncio-queue.html#asyncio.Queue.put_nowait).

**Do instead.** Say what overflow means and count it: drop the newest, drop the oldest, or wait with a limit; keep a
second queue for records that must not be lost. `evenkeel.hotpath.writes` has these policies, priorities and water
levels.

**Leave it when** the record must not be lost, nothing else can hold it, and the caller may wait: an audit trail
written by a nightly job. Not reported: dropping, logging, counting, waiting for room, or handing over to another
queue.

```python flags
import asyncio
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Event

class Writer:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self.queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=1000)

    async def write(self, event: Event) -> None:
        async with self.sessions() as session:
            session.add(event)
            await session.commit()

    async def record(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            await self.write(event)  # flagged

    async def record_checked(self, event: Event) -> None:
        if self.queue.full():
            await self.write(event)  # flagged
        else:
            self.queue.put_nowait(event)

    async def record_patiently(self, event: Event) -> None:
        try:
            await asyncio.wait_for(self.queue.put(event), timeout=0.1)
        except TimeoutError:
            await self.write(event)  # flagged
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
```

```python flags
import queue
from collections import deque
import sqlite3

class Monitor:
    def __init__(self, path: str) -> None:
        self.path = path
        self.pending: queue.Queue[str] = queue.Queue(500)

    def _store(self, line: str) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("INSERT INTO lines VALUES (?)", (line,))

    def note(self, line: str) -> None:
        try:
            self.pending.put(line, timeout=0.05)
        except queue.Full:
            self._store(line)  # flagged

class Line:
    def __init__(self, sink, capacity: int) -> None:
        self.sink = sink
        self.capacity = capacity
        self.line: deque[str] = deque()

    def put(self, record: str) -> None:
        if len(self.line) >= self.capacity:
            self._write(record)  # flagged
        else:
            self.line.append(record)

    def work(self) -> None:
        while self.line:
            self._write(self.line.popleft())

    def _write(self, record: str) -> None:
        self.sink([record])
```

```python passes
import asyncio
import logging
import queue

log = logging.getLogger(__name__)

class Writer:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1000)
        self.spare: asyncio.Queue[bytes] = asyncio.Queue(maxsize=10)
        self.dropped = 0

    def record(self, event: bytes) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1
            log.warning("dropped %r", event)

    def record_newest(self, event: bytes) -> None:
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)

    async def record_important(self, event: bytes) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            await self.spare.put(event)

    async def drain(self, path: str) -> None:
        while True:
            event = await self.queue.get()
            with open(path, "ab") as file:
                file.write(event)
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block, root_of
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import STANDS
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

RULE = Rule(title="A full queue answered by doing the work at once", severity="HIGH", facts=frozenset({"assignments"}))

WORK: tuple[EffectKind, ...] = ("db-write", "db-pending", "commit", "db-read", "network", "file", "subprocess", "cpu")
FULL = re.compile(r"(^|\.)(QueueFull|Full|WouldBlock)$")
TIMED_OUT = re.compile(r"(^|\.)TimeoutError$")
ASKS_FULL = re.compile(r"\.full\(\)|\.qsize\(\) *>=?")
MEASURES = re.compile(r"^len\(([\w.]+)\) *>=? *[\w.]+$")
BRANCHES = STANDS["if"] | STANDS["else"] | STANDS["except"]
JOINS = frozenset({"append", "appendleft", "insert"})
LEAVES = frozenset({"popleft", "pop", "clear"})
HARMLESS = re.compile(
    r"(^|[._])(log\w*|warn\w*|metric\w*|count\w*|inc|incr\w*|drop\w*|discard\w*|debug|info|error|exception)$"
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each branch taken when a queue is full that does the work inline."""
    del context
    for function in module.functions_shaped(BRANCHES):
        queues = function.does("enqueue")
        if not queues and not (function.shape & STANDS["if"] and function.asks("len")):
            continue
        for index, block in enumerate(function.fact.blocks):
            puts = _puts_answered_by(function, index, block)
            worked: frozenset[int] = frozenset()
            if not puts:
                puts, worked = _into_a_line(function, block)
            fallback = _fallback(function, index, puts, worked) if puts else None
            if fallback is not None:
                yield _finding(function, puts[0], *fallback)


def _puts_answered_by(function: FunctionView, index: int, block: Block) -> list[CallView]:
    """The puts whose failure, for want of room, leads into the block; none when the block is something else."""
    if block.kind == "except" and block.subject is not None:
        names = block.subject.names or (block.subject.text,)
        puts = [each for each in _puts(function) if inside(function.fact, each.fact.block, block.origin)]
        if any(FULL.search(name) for name in names):
            return puts
        timed = [each for each in puts if each.argument(-1, "timeout") is not None or _is_timed(each)]
        return timed if any(TIMED_OUT.search(name) for name in names) else []
    if block.kind in {"if", "else"}:
        puts = _puts(function)
        return puts if puts and _means_full(function, index, block) else []
    return []


def _into_a_line(function: FunctionView, block: Block) -> tuple[list[CallView], frozenset[int]]:
    """`if len(self.line) >= self.capacity:` of a line that this function adds to and another takes from: the additions, and
    what that other function calls."""
    measured = MEASURES.search(block.subject.text) if block.kind == "if" and block.subject is not None else None
    if measured is None:
        return [], frozenset()
    puts = [each for each in function.calls if each.holder == measured[1] and each.name in JOINS]
    if not puts:
        return [], frozenset()
    called = {target for each in function.calls for target in each.link.targets}
    workers = [
        other
        for other in function.module.functions
        if other is not function
        and other.info.id not in called  # that is how a batch is written: nobody else takes from it
        and other.holds(measured[1])
        and other.fact.owner == function.fact.owner
        and any(each.holder == measured[1] and each.name in LEAVES for each in other.calls)
    ]
    worked = frozenset(target for other in workers for each in other.calls for target in each.link.targets)
    return (puts, worked) if workers else ([], frozenset())


def _puts(function: FunctionView) -> list[CallView]:
    return [each for each in function.calls_with("enqueue") if not each.has("network")]


def _is_timed(call: CallView) -> bool:
    return call.parent is not None and call.parent.link.bounded


def _means_full(function: FunctionView, index: int, block: Block) -> bool:
    """`if queue.full():`, `if not queue.full(): ... else:`, `if not queue.try_put(item):`."""
    if block.kind == "else":
        origin = function.fact.blocks[block.origin] if block.origin >= 0 and block.subject is None else None
        text = origin.subject.text if origin is not None and origin.subject is not None else ""
        return text.startswith("not ") and bool(ASKS_FULL.search(text))
    text = block.subject.text if block.subject is not None else ""
    if ASKS_FULL.search(text):
        return not text.startswith("not ")
    asked = [each for each in function.calls if each.fact.callee in (block.subject.names if block.subject else ())]
    tried = (
        each for each in asked if each.fact.position < block.start and not inside(function.fact, each.fact.block, index)
    )
    return text.startswith("not ") and any(
        each.name.startswith(("try_", "offer")) and each.reaches("enqueue") for each in tried
    )


def _fallback(
    function: FunctionView, index: int, puts: list[CallView], worked: frozenset[int]
) -> tuple[CallView, Reach | None] | None:
    """The first call in the branch that does what the queue was there for."""
    queued = {root_of(name) for put in puts for argument in put.fact.arguments for name in argument.value.names}
    for call in function.calls:
        if not inside(function.fact, call.fact.block, index) or HARMLESS.search(call.fact.callee) or call.has("log"):
            continue
        if call.reaches("enqueue", "dequeue") or call.parent is not None:
            continue
        work = call.reaches(*WORK)
        if work:
            return call, work[0]
        if worked.intersection(call.link.targets) and _is_given(call, queued):
            return call, None
        known = call.library or call.link.targets
        if not known and _is_given(call, queued):
            return call, None
    return None


def _is_given(call: CallView, queued: set[str]) -> bool:
    return any(root_of(name) in queued for argument in call.fact.arguments for name in argument.value.names)


def _finding(function: FunctionView, put: CallView, call: CallView, reach: Reach | None) -> Finding:
    return call.finding(
        "HIGH",
        f"when the queue behind `{put.written}` is full, `{function.fact.name}` does the work itself with "
        f"`{call.written}`: overload of the writer becomes latency of the caller",
        "Choose an overflow policy (drop the newest or the oldest, or wait with a limit), count what it does, and keep a "
        "separate queue for what must not be lost (evenkeel.hotpath.writes).",
        effort="M",
        confidence="definite" if reach is not None and reach.effect.certain else "likely",
        path=reach.path if reach is not None else (call.step,),
    )
