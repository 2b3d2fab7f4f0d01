"""Cancellation polled on a timer

A loop sleeps a little, looks at a flag, a shared map, a table or a key to see whether somebody asked to cancel, and
sleeps again.

**Why it costs.** The one who cancels waits for half the interval on average, and every run that nobody cancels pays
for the look: 1,000 runs that look five times a second are 5,000 queries or lock acquisitions a second for nothing.
Through a lock that the whole process shares, the looks also stand in one another's way. An `asyncio.Event` wakes its
waiter at once (https://docs.python.org/3/library/asyncio-sync.html#asyncio.Event); a task can be cancelled itself
(https://docs.python.org/3/library/asyncio-task.html#task-cancellation).

**Do instead.** Keep a token per run that is set by whoever cancels, and wait for it and the work together, or cancel
the task; between processes, a notification (`evenkeel.hotpath.cancellation`). The stored flag stays, as the record.

**Leave it when** the work cannot be woken (a child process, a foreign library) and the interval is long. Not reported:
a check between the steps of work without a sleep, a periodic job that stops on an event, waiting on the event itself
with a time-out. What is a cancellation is told by its name, so findings are at most `likely`.

```python flags
import asyncio
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Run

cancelled_runs: set[str] = set()

async def watch(run_id: str, task: asyncio.Task[None]) -> None:
    while not task.done():
        if run_id in cancelled_runs:  # flagged
            task.cancel()
        await asyncio.sleep(0.2)

async def watch_redis(redis: Redis, run_id: str, task: asyncio.Task[None]) -> None:
    while not task.done():
        await asyncio.sleep(0.5)
        if await redis.get(f"cancel:{run_id}"):  # flagged
            task.cancel()
            return

async def watch_table(sessions: async_sessionmaker[AsyncSession], run_id: int, task: asyncio.Task[None]) -> None:
    while True:
        async with sessions() as session:
            status = await session.scalar(select(Run.status).where(Run.id == run_id))
        if status == "cancelled":  # flagged
            task.cancel()
            break
        await asyncio.sleep(1)
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Run(Base):
    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
```

```python flags
import asyncio
import threading
import time

class Monitor:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cancelled: dict[str, bool] = {}

    def is_cancelled(self, session_id: str) -> bool:
        with self.lock:
            return self.cancelled.get(session_id, False)

    async def wait_for_cancel(self, session_id: str) -> None:
        while not self.is_cancelled(session_id):  # flagged
            await asyncio.sleep(0.2)

def wait(stop_requested: threading.Event) -> None:
    while not stop_requested.is_set():  # flagged
        time.sleep(0.1)
```

```python passes
import asyncio
import threading
import httpx

async def run(steps, cancelled: asyncio.Event) -> None:
    for step in steps:
        if cancelled.is_set():
            return
        await step()

async def wait(cancelled: asyncio.Event, task: asyncio.Task[None]) -> None:
    waiter = asyncio.create_task(cancelled.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)

async def report(client: httpx.AsyncClient, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await client.post("https://example.org/alive")
        await asyncio.sleep(60)

async def until_ready(client: httpx.AsyncClient) -> None:
    while (await client.get("https://example.org/ready")).status_code != 200:
        await asyncio.sleep(1)

def periodic(stop: threading.Event, work) -> None:
    while not stop.is_set():
        work()
        stop.wait(30)
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import bound_call, inside
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.places import at_block
from evenkeel.audit.model.polling import only_sleeps
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(title="Cancellation polled on a timer", severity="MEDIUM", needs=frozenset({"sleep", "gather", "lock"}))

CANCEL = re.compile(
    r"cancel|abort|interrupt(?!ed_?error)|revoke|stop_?request|should_?stop|kill(ed|_|$)|terminat", re.IGNORECASE
)
OTHER_ENDS = re.compile(r"complet|finish|succe|failed|skipped", re.IGNORECASE)  # waits for the end, whichever it is
STOP = re.compile(r"(^|[_.(\s\"'])(stop|stopped|stopping|_?stop_?event|shutdown\w*)($|[_.()\s\"'])", re.IGNORECASE)
FLAG = re.compile(r"\b(\w*_)?(flags?|asked|requested|reason|signal\w*)\b", re.IGNORECASE)  # of a class about cancelling
REMOTE: tuple[EffectKind, ...] = ("db-read", "network")
OTHER_WORK: tuple[EffectKind, ...] = ("network", "db-write", "db-read", "commit", "subprocess", "cpu", "stream", "file")


class Look(NamedTuple):
    """One check for cancellation in a polling loop: its block, the calls that make it, the call that sleeps."""

    loop: int
    block: int
    calls: tuple[CallView, ...]
    sleep: CallView


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each loop that sleeps and looks whether it is cancelled."""
    del context
    for function in module.functions_repeating("sleep", "gather"):
        if not runs_once(function.info):
            for index, block in enumerate(function.fact.blocks):
                look = _look(function, index) if block.kind in {"while", "for"} else None
                if look is not None:
                    yield _finding(function, look)


def _look(function: FunctionView, loop: int) -> Look | None:
    pausing = function.calls_reaching("sleep", "gather")
    near = [each for each in pausing if _innermost_loop(function, each.fact.block) == loop]
    sleeps = [each for each in near if each.has("sleep") or only_sleeps(each) or _waits_a_while(each)]
    if not sleeps:
        return None
    calls = [each for each in function.calls if _innermost_loop(function, each.fact.block) == loop]
    for block in _conditions(function, loop):
        subject = function.fact.blocks[block].subject
        if subject is None or not _asks_for_cancel(function, loop, block, calls):
            continue
        made = _makers(function, block, calls)
        used = {each.index for each in (*made, *sleeps)}
        others = (each for each in calls if each.index not in used)
        if not any(_works(each, looks=_is_about_cancelling(function)) for each in others):
            return Look(loop, block, made, sleeps[0])
    return None


def _works(call: CallView, *, looks: bool) -> bool:
    """Whether the loop does more in a pass than look: work that is known, or awaited and not known.

    `looks`: the class is about nothing but cancelling, so that what it reads there is another look."""
    unknown = call.fact.awaited and not call.library and not call.link.targets
    if not looks:
        return unknown or bool(call.reaches(*OTHER_WORK))
    only_reads = bool(call.reaches("db-read")) and not call.reaches("db-write")
    return unknown or bool(not only_reads and call.reaches(*(each for each in OTHER_WORK if each not in REMOTE)))


def _is_about_cancelling(function: FunctionView) -> bool:
    """Whether the class that a method belongs to is named for cancelling."""
    owner, dot, _ = function.fact.qualname.rpartition(".")
    return bool(dot) and CANCEL.search(owner) is not None


def _innermost_loop(function: FunctionView, block: int) -> int:
    blocks = function.fact.blocks
    return next(
        (each for each in ancestors(blocks, block) if blocks[each].kind in {"while", "for", "comprehension"}), -1
    )


def _waits_a_while(call: CallView) -> bool:
    """`asyncio.wait({task}, timeout=0.2)`, unless what it waits for is the cancellation itself."""
    timed = call.argument(-1, "timeout") is not None and (call.has("gather") or call.link.bounded)
    return timed and not any(CANCEL.search(n) or STOP.search(n) for a in call.fact.arguments for n in a.value.names)


def _conditions(function: FunctionView, loop: int) -> list[int]:
    """The loop's own condition, and those of the branches in it."""
    blocks = function.fact.blocks
    inner = [i for i, b in enumerate(blocks) if b.kind in {"if", "else"} and _innermost_loop(function, i) == loop]
    return [loop, *inner] if blocks[loop].kind == "while" else inner


def _asks_for_cancel(function: FunctionView, loop: int, block: int, calls: list[CallView]) -> bool:
    subject = function.fact.blocks[block].subject
    text = subject.text if subject is not None else ""
    if CANCEL.search(text) and not OTHER_ENDS.search(text):
        return block == loop or _answers(function, block, calls)
    if block != loop and FLAG.search(text) and _is_about_cancelling(function):
        return _answers(function, block, calls)
    waits_only = len([each for each in calls if not each.has("sleep", "log")]) <= 1
    return block == loop and bool(STOP.search(text)) and waits_only


def _answers(function: FunctionView, block: int, calls: list[CallView]) -> bool:
    """Whether the branch leaves or cancels something."""
    fact = function.fact
    if fact.blocks[block].exits or any(inside(fact, each.block, block) for each in fact.exits):
        return True
    return any(CANCEL.search(each.fact.callee) for each in calls if inside(fact, each.fact.block, block))


def _makers(function: FunctionView, block: int, calls: list[CallView]) -> tuple[CallView, ...]:
    """The calls whose results the condition looks at, directly or through a variable."""
    subject = function.fact.blocks[block].subject
    names = subject.names if subject is not None else ()
    start = function.fact.blocks[block].start
    direct = [
        each for each in calls if each.fact.callee in names and each.fact.position <= start + _length(function, block)
    ]
    bound = [call for name in names if (call := bound_call(function, name.partition(".")[0], start)) is not None]
    return tuple({each.index: each for each in (*direct, *bound)}.values())


def _length(function: FunctionView, block: int) -> int:
    """A `while` condition stands inside the loop's block; other conditions stand before theirs."""
    fact = function.fact.blocks[block]
    return len(fact.subject.text) + 8 if fact.kind == "while" and fact.subject is not None else 0


def _finding(function: FunctionView, look: Look) -> Finding:
    severity, through = _weight(function, look)
    asked = function.fact.blocks[look.block].subject
    what = asked.text[:60] if asked is not None else ""
    place = at_block(function, look.block)
    loop = at_block(function, look.loop)
    return place.finding(
        severity,
        f"`{function.fact.name}` wakes on a timer to look whether it is cancelled (`{what}`{through})",
        "Wait for an event that whoever cancels sets, together with the work, or cancel the task; between processes use a "
        "notification (evenkeel.hotpath.cancellation).",
        effort="M",
        confidence="likely",
        path=(loop.step, place.step, look.sleep.step),
        end_line=max(function.fact.blocks[look.loop].end_line, place.line),
    )


def _weight(function: FunctionView, look: Look) -> tuple[Severity, str]:
    for call in look.calls:
        for reach in call.reaches(*REMOTE):
            return "HIGH", ", through the database" if reach.effect.kind == "db-read" else ", over the network"
        if any(_takes_lock(function, call)):
            return "HIGH", ", through a lock that all runs share"
    blocks = function.fact.blocks
    held = {each.fact.block for each in function.calls if each.link.implicit == "enter" and each.has("lock")}
    return ("HIGH", ", under a lock") if held & set(ancestors(blocks, look.block)) else ("MEDIUM", "")


def _takes_lock(function: FunctionView, call: CallView) -> Iterator[bool]:
    for target in call.targets:
        view = function.module.function(target)
        yield view is not None and any(each.has("lock") for each in view.calls)
