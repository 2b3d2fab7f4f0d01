"""A lock held across an await

A `threading.Lock` is held while the coroutine is suspended, or an `asyncio.Lock` that all requests share is held while
an external service answers.

**Why it costs.** A synchronous lock knows nothing of tasks: while its holder is suspended, the next task that wants it
blocks the whole thread, the event loop with it, so that the holder can never come back to release it: a deadlock as
soon as two tasks meet (https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading). An
asyncio lock only queues the others, but when an HTTP or LLM call of a second runs under it, all users together get one
such call a second.

**Do instead.** Take the lock only around the lines that change shared state, and await outside: read under the lock,
call without it, write under it again. Where tasks must wait for one another use `asyncio.Lock`
(https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock), one per session or key and with a bound on how many
there are (`evenkeel.hotpath.bounded`, `evenkeel.hotpath.limiter`).

**Leave it when** holding it is the point: one refresh of a token that all wait for, writes to one connection, one run
of a job. Those are not reported as far as the code tells: a check under the lock whether the work is still to be done,
a lock per key, a lock named after what it serialises. An asyncio lock on an object that may exist many times is listed
as needing context.

```python flags
import asyncio
import threading
import httpx
from fastapi import FastAPI

app = FastAPI()
state_lock = threading.Lock()
quota_lock = asyncio.Lock()
totals: dict[str, int] = {}

@app.post("/count/{name}")
async def count(name: str, client: httpx.AsyncClient) -> int:
    with state_lock:  # flagged
        answer = await client.get(f"https://example.org/{name}")
        totals[name] = int(answer.text)
    return totals[name]

@app.post("/ask")
async def ask(question: str, client: httpx.AsyncClient) -> str:
    async with quota_lock:  # flagged
        totals["asked"] = totals.get("asked", 0) + 1
        answer = await client.post("https://llm.example.org", json={"question": question})
    return answer.text

class Store:
    def __init__(self) -> None:
        self._lock = threading.RLock()

    async def save(self, queue: asyncio.Queue[str]) -> None:
        self._lock.acquire()  # flagged
        try:
            await queue.put("saved")
        finally:
            self._lock.release()
```

```python passes
import asyncio
import threading
import httpx
from fastapi import FastAPI

app = FastAPI()
state_lock = threading.Lock()
totals: dict[str, int] = {}

@app.post("/count/{name}")
async def count(name: str, client: httpx.AsyncClient) -> int:
    answer = await client.get(f"https://example.org/{name}")
    with state_lock:
        totals[name] = int(answer.text)
    return totals[name]

class Client:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.lock = asyncio.Lock()
        self.token = ""
        self.locks: dict[str, asyncio.Lock] = {}

    async def authorised(self) -> str:
        async with self.lock:
            if not self.token:
                self.token = (await self.client.post("https://example.org/token")).text
            return self.token

    async def edit(self, document: str) -> None:
        async with self.locks[document]:
            await self.client.post(f"https://example.org/{document}")

    async def add(self, name: str) -> None:
        async with self.lock:
            totals[name] = totals.get(name, 0) + 1
            await asyncio.sleep(0)

client = Client(httpx.AsyncClient())

@app.get("/token")
async def token() -> str:
    await client.edit("a")
    await client.add("a")
    return await client.authorised()
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.places import at_block
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import PLAIN_WITH
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

RULE = Rule(title="A lock held across an await", severity="HIGH", facts=frozenset({"blocks"}))

LOCK_NAME = re.compile(r"(^|[_.])(r?lock|mutex)$", re.IGNORECASE)
SERIALISES = re.compile(
    r"(send|writ|conn|socket|ws|io|serial|token|refresh|auth|login|init|setup|start|load|build|once|create)\w*_?lock",
    re.IGNORECASE,
)
NOT_EXTERNAL = frozenset(
    {"redis", "cache", "memcached", "request", "server", "broker", "tcp", "websocket", "ssh", "sftp"}
)
DEEPEST = 5  # steps to the external call


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each lock that an async function holds too long, at the line that takes it."""
    del context
    for function in module.functions:
        if not (function.is_async and _may_lock(function)):
            continue
        for index, block in enumerate(function.fact.blocks):
            if block.kind == "with" and block.subject is not None:
                yield from _held_by_block(function, index, block)
        for call in function.calls:
            if call.name == "acquire" and _is(call, "sync"):
                yield from _held_by_call(function, call)
            elif call.name == "acquire" and _is(call, "async"):
                yield from _acquired(function, call)


def _may_lock(function: FunctionView) -> bool:
    """Whether it takes something that is known as a lock, or that is named so."""
    if function.does("lock"):
        return True
    return bool(function.shape & PLAIN_WITH) and function.holds("lock", "mutex", any_case=True)


def _held_by_block(function: FunctionView, index: int, block: Block) -> Iterator[Finding]:
    entered = next(
        (each for each in function.calls if each.link.implicit == "enter" and each.fact.block == index), None
    )
    text = block.subject.text if block.subject is not None else ""
    typed = entered is not None and _is(entered, "sync")
    if not block.is_async and (typed or (entered is None and LOCK_NAME.search(text))):
        awaited = _awaited_in(function, index)
        if awaited is not None:
            yield _sync(at_block(function, index), text, awaited, "definite" if typed else "likely", block.end_line)
    elif block.is_async and entered is not None and _is(entered, "async"):
        yield from _async(function, index, text)


def _is(call: CallView, detail: str) -> bool:
    return any(each.kind == "lock" and each.detail == detail for each in call.effects)


def _awaited_in(function: FunctionView, index: int) -> CallView | None:
    """The first call awaited inside a block, `async with` and `async for` included."""
    inner = [each for each in function.calls if inside(function.fact, each.fact.block, index)]
    found = next((each for each in inner if each.fact.awaited), None)
    if found is not None:
        return found
    blocks = function.fact.blocks
    nested = (i for i, b in enumerate(blocks) if b.is_async and i != index and inside(function.fact, i, index))
    return next((at_block(function, each) for each in nested), None)


def _held_by_call(function: FunctionView, taken: CallView) -> Iterator[Finding]:
    """`lock.acquire()` ... `await` ... `lock.release()`."""
    between, end_line = _until_released(function, taken)
    awaited = next((each for each in between if each.fact.awaited), None)
    if awaited is not None:
        yield _sync(taken, taken.holder, awaited, "definite", end_line)


def _until_released(function: FunctionView, taken: CallView) -> tuple[list[CallView], int]:
    """The calls between taking a lock and giving it back, and the line of that."""
    released = [e for e in function.calls if e.name == "release" and e.holder == taken.holder and e.follows(taken)]
    end = max((each.fact.position for each in released), default=-1)
    between = [each for each in function.calls if taken.fact.position < each.fact.position < end]
    return between, max((each.line for each in released), default=taken.line)


def _sync(place: CallView, lock: str, awaited: CallView, confidence: Confidence, end_line: int) -> Finding:
    function = place.function
    return place.finding(
        "HIGH",
        f"`{function.fact.name}` holds the synchronous lock `{lock}` while it awaits `{awaited.written}`: the next task "
        "that wants it blocks the event loop, and with it the holder",
        "Await outside the lock and take it only around the lines that change shared state, or use `asyncio.Lock`.",
        effort="M",
        confidence=confidence,
        path=(place.step, awaited.step),
        end_line=end_line,
    )


# -- asyncio locks -------------------------------------------------------------------------------------------------


def _async(function: FunctionView, index: int, lock: str) -> Iterator[Finding]:
    if SERIALISES.search(lock) or "[" in lock or "(" in lock:
        return  # named after what it serialises, or one of many
    for call in function.calls:
        if not inside(function.fact, call.fact.block, index) or _is_asked_first(function, index, call):
            continue
        reach = _external(call)
        if reach is not None:
            yield _finding(at_block(function, index), lock, call, reach, function.fact.blocks[index].end_line)
            return


def _acquired(function: FunctionView, taken: CallView) -> Iterator[Finding]:
    """`await lock.acquire()` ... `lock.release()`, with no check between that decides whether the call is needed."""
    lock = taken.holder
    between, end_line = _until_released(function, taken)
    decides = any(
        block.kind in {"if", "else"} and taken.fact.position < block.start < each.fact.position
        for each in between
        for block in function.fact.blocks
    )
    if SERIALISES.search(lock) or "[" in lock or decides:
        return
    for call in between:
        reach = _external(call)
        if reach is not None:
            yield _finding(taken, lock, call, reach, end_line)
            return


def _external(call: CallView) -> Reach | None:
    reaches = (each for each in call.reaches("network") if each.effect.detail not in NOT_EXTERNAL)
    return next((each for each in reaches if each.depth < DEEPEST and not each.effect.blocking), None)


def _is_asked_first(function: FunctionView, index: int, call: CallView) -> bool:
    """Whether a check under the lock decides if the call is still needed: one refresh for all who wait."""
    fact = function.fact
    for number, block in enumerate(fact.blocks):
        checks = block.kind in {"if", "else"} and number != index and inside(fact, number, index)
        decides = inside(fact, call.fact.block, number) or (block.exits and block.end < call.fact.position)
        if checks and decides:
            return True
    return False


def _finding(place: CallView, lock: str, call: CallView, reach: Reach, end_line: int) -> Finding:
    function = place.function
    shared = _is_shared(function, lock)
    return place.finding(
        "HIGH",
        f"`{function.fact.name}` holds `{lock}` while `{call.written}` waits for an external answer; everyone who needs "
        "the lock waits for that answer too",
        "Call outside the lock and take it only to read and write shared state, or use one lock per key.",
        effort="M",
        confidence="likely" if shared and function.info.hot else "needs-context",
        path=(place.step, *reach.path),
        end_line=end_line,
        settled_by="" if shared and function.info.hot else f"how many share `{lock}`, and whether requests wait for it",
    )


def _is_shared(function: FunctionView, lock: str) -> bool:
    """A lock at the top level of a module, or on an object of which the process keeps one."""
    module = function.module
    if lock.isidentifier():
        local = any(lock in each.targets for each in function.fact.assignments)
        return not local and all(each.name != lock for each in function.fact.parameters)
    owner = module.outline.classes[function.fact.owner].qualname if function.fact.owner >= 0 else ""
    return lock.startswith("self.") and f"{module.outline.module}.{owner}" in module.index.lasting
