"""Independent sends awaited one by one

A loop awaits one network call, cache round trip or worker-thread hop per element, although no element needs the result
of the one before.

**Why it costs.** The times add up: 50 calls of 80 ms take 4 s in a row and about 0.4 s with ten at a time. Concurrency
is what asyncio has for this (https://docs.python.org/3/library/asyncio-task.html#running-tasks-concurrently); for
Redis a pipeline sends all commands in one round trip (https://redis.io/docs/latest/develop/use/pipelining/).

**Do instead.** A bounded number at once: `asyncio.TaskGroup` or `gather` with a semaphore; a pipeline or a bulk call
where the other side has one. Outgoing messages belong into an outbox that sends in groups (`evenkeel.hotpath.outbox`).

**Leave it when** order matters (messages to one chat, steps of a protocol), the other side limits the rate, or the
loop is short by nature. What is started, installed, or updated in turn is taken to be meant so. Never reported: awaits
that share one database session, transaction or connection; loops in which one pass needs what an earlier one made;
retries, paging and streams; loops that sleep, stop early, or hold a limiter.

```python flags
import aiohttp
import httpx
from redis.asyncio import Redis

async def titles(client: httpx.AsyncClient, urls: list[str]) -> list[str]:
    found = []
    for url in urls:
        answer = await client.get(url)  # flagged
        found.append(answer.text)
    return found

async def sizes(session: aiohttp.ClientSession, urls: list[str]) -> dict[str, int]:
    found = {}
    for url in urls:
        async with session.get(url) as answer:  # flagged
            found[url] = len(await answer.read())
    return found

async def publish(redis: Redis, jobs: list[tuple[str, str]]) -> None:
    for name, body in jobs:
        await redis.hset(f"{name}.messages", name, body)  # flagged
        await redis.rpush(name, body)
```

```python flags
# file: app/notify.py
import httpx

class Notifier:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def send(self, address: str, text: str) -> None:
        await self.client.post("https://push.example.org", json={"to": address, "text": text})
# file: app/jobs.py
import asyncio
from pathlib import Path
from app.notify import Notifier

async def announce(notifier: Notifier, addresses: list[str], text: str) -> None:
    for address in addresses:
        try:
            await notifier.send(address, text)  # flagged
        except OSError:
            continue

async def listing(folder: Path) -> list[Path]:
    return await asyncio.to_thread(lambda: list(folder.iterdir()))

async def all_files(folders: list[Path]) -> list[Path]:
    return [path for folder in folders for path in await listing(folder)]  # flagged
```

```python passes
import asyncio
import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from app.models import User

async def bounded(client: httpx.AsyncClient, urls: list[str]) -> list[httpx.Response]:
    limit = asyncio.Semaphore(10)

    async def get(url: str) -> httpx.Response:
        async with limit:
            return await client.get(url)

    return await asyncio.gather(*(get(url) for url in urls))

async def one_session(session: AsyncSession, client: httpx.AsyncClient, names: list[str]) -> None:
    for name in names:
        user = await session.scalar(select(User).where(User.name == name))
        await client.post("https://example.org", json={"id": user.id})

async def pages(client: httpx.AsyncClient, url: str) -> list[str]:
    found = []
    while url:
        answer = await client.get(url)
        found.append(answer.text)
        url = answer.headers.get("next", "")
    return found

async def conversation(client: httpx.AsyncClient, questions: list[str]) -> list[str]:
    messages: list[str] = []
    for question in questions:
        messages.append(question)
        answer = await client.post("https://llm.example.org", json=messages)
        messages.append(answer.text)
    return messages

async def first_that_answers(client: httpx.AsyncClient, hosts: list[str]) -> str:
    for host in hosts:
        answer = await client.get(host)
        if answer.is_success:
            return host
    return ""

async def gently(client: httpx.AsyncClient, urls: list[str]) -> None:
    for url in urls:
        await client.get(url)
        await asyncio.sleep(1)
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.loop_data import flows_into, inside, loop_data
from evenkeel.audit.model.loops import loop_kind, loops_of
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

SENDS: tuple[EffectKind, ...] = ("network", "file", "subprocess")
DATABASE: tuple[EffectKind, ...] = (
    "db-read", "db-write", "db-key-read", "db-pending", "db-flush", "db-refresh", "commit", "begin",
)  # fmt: skip

RULE = Rule(title="Independent sends awaited one by one", severity="MEDIUM", needs=frozenset(SENDS))

DEEPEST = {"network": 4, "file": 3, "subprocess": 3}  # steps to the send: beyond, a call is a process of its own
MANY_AWAITS = 4  # a pass that awaits more is a procedure whose order somebody chose
OWN_SIDE = frozenset({"request", "server", "stdin", "directory", "upload", "docker", "dbus"})  # this machine, no send
PROCEDURE = re.compile(  # what is done in turn on purpose: the parts of a system, not the elements of a list
    r"_*(start|stop|boot|(un)?install|update|upgrade|restore|reload|repair|fix|apply|migrate|set_?up|(un)?register)"
)
READING = re.compile(r"_*(async_?)?(read|load|list|get|fetch|find|scan|stat|open|exists|parse|walk|hash|size|glob)")
ONE_CONNECTION = frozenset({"tcp", "websocket", "ssh", "sftp", "browser"})  # one conversation, whoever speaks in it
ONE_AT_A_TIME = frozenset({"smtp", "ftp", "imap", "pop"})  # one conversation, unless the callee opens its own
HELD = frozenset({"session", "connection", "transaction", "cursor"})
HELD_NAMES = frozenset({"session", "db", "conn", "connection", "tx", "cursor", "db_session"})
LIMITERS = re.compile(
    r"(^|[._])(rate_?limit\w*|throttl\w*|limiter|limit|semaphore|sem|sleep|backoff|acquire)$", re.IGNORECASE
)
MUTATORS = frozenset({"append", "extend", "add", "update", "insert", "appendleft", "setdefault", "pop", "remove"})


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each loop, at the first send it awaits."""
    del context
    for function in module.functions_repeating(*RULE.needs):
        if function.is_async and not runs_once(function.info):
            for index, block in enumerate(function.fact.blocks):
                if block.kind in {"for", "comprehension"} and not block.is_async:
                    yield from _judge(function, index)


def _judge(function: FunctionView, loop: int) -> Iterator[Finding]:
    near = [each for each in function.calls_reaching(*SENDS) if _innermost(each) == loop]
    sends = [(each, reach) for each in near if _is_awaited(each) and (reach := _send(each)) is not None]
    if not sends:
        return
    calls = [each for each in function.calls if _innermost(each) == loop]
    awaited = [each for each in calls if _is_awaited(each)]
    if len(awaited) > MANY_AWAITS or loop_kind(function, loop) != "elements":
        return
    if _is_deliberate(function, loop, calls) or _depends_on_last(function, loop, [each for each, _ in sends]):
        return
    names = loop_data(function.fact, loop)
    sent = next(((each, reach) for each, reach in sends if flows_into(each, names)), None)
    if sent is not None:
        yield _finding(function, loop, *sent)


def _innermost(call: CallView) -> int:
    return next(iter(loops_of(call)), -1)


def _is_awaited(call: CallView) -> bool:
    """Awaited itself, inside `wait_for(...)`, or as the manager of an `async with`."""
    if call.fact.awaited:
        return True
    outer = call.parent
    if outer is not None and outer.link.bounded and outer.fact.awaited:
        return True
    blocks = call.function.fact.blocks
    return any(b.kind == "with" and b.is_async and b.subject and b.subject.call == call.index for b in blocks)


def _send(call: CallView) -> Reach | None:
    """The send that awaiting the call comes down to, if it leads to one soon and in each of its implementations."""
    for reach in call.reaches(*SENDS):
        effect = reach.effect
        if effect.blocking or reach.depth >= DEEPEST[effect.kind] or effect.detail in OWN_SIDE:
            continue
        if effect.detail in ONE_CONNECTION or (reach.direct and effect.detail in ONE_AT_A_TIME):
            return None
        if effect.kind != "network" and call.fact.discarded:  # writes into one archive, steps of one program
            return None
        if call.link.targets and PROCEDURE.match(call.name):
            return None
        if effect.kind == "file" and call.link.targets and not call.link.runs and not READING.match(call.name):
            return None
        return reach if _all_send(call, effect.kind) else None
    return None


def _all_send(call: CallView, kind: EffectKind) -> bool:
    return all(any(each.effect.kind == kind for each in target.reaches) for target in call.targets)


def _is_deliberate(function: FunctionView, loop: int, calls: list[CallView]) -> bool:
    """One database session or connection, a limiter or a sleep, a lock, or leaving early: order was meant."""
    fact = function.fact
    if any(each.reaches(*DATABASE, "sleep", "lock") or each.has("lock") or _hands_on(each) for each in calls):
        return True
    if any(LIMITERS.search(each.fact.callee.rstrip("()")) for each in calls):
        return True
    if any(b.kind == "with" and _limits(b.subject.text if b.subject else "") for b in _blocks_in(function, loop)):
        return True
    exits = (each.kind for each in fact.exits if inside(fact, each.block, loop))
    return any(each != "raise" for each in exits) or any(each.breaks for each in _blocks_in(function, loop))


def _blocks_in(function: FunctionView, loop: int) -> list[Block]:
    return [each for i, each in enumerate(function.fact.blocks) if inside(function.fact, i, loop)]


def _limits(manager: str) -> bool:
    return bool(LIMITERS.search(manager.partition("(")[0])) or "lock" in manager.lower()


def _hands_on(call: CallView) -> bool:
    """Whether a session or connection is passed to the call, or is what it is called on."""
    function = call.function
    texts = [each.value.text for each in call.fact.arguments if each.value.kind == "name"]
    held = function.role_of(call.link.receiver) in HELD
    return held or any(
        text.rpartition(".")[2] in HELD_NAMES or function.role_of(function.types.get(text, "")) in HELD
        for text in texts
    )


def _depends_on_last(function: FunctionView, loop: int, sends: list[CallView]) -> bool:
    """Whether what one pass makes reaches a send of the next: through a name set later, or a container filled in it."""
    fact = function.fact
    used: dict[str, int] = {}
    for call in sends:
        for chain in (chain for argument in call.fact.arguments for chain in argument.value.names):
            used.setdefault(_carrier(chain), call.fact.position)
    shared = {name for name, position in used.items() if not _is_made_first(function, loop, name, position)}
    assigned = (each for each in fact.assignments if inside(fact, each.block, loop))
    if any(_carrier(target) in shared for each in assigned for target in each.targets):
        return True
    filled = (each for each in function.calls if each.name in MUTATORS and inside(fact, each.fact.block, loop))
    return any(_carrier(each.holder) in shared for each in filled)


def _carrier(chain: str) -> str:
    """The name that holds a value from pass to pass: of `self` the attribute."""
    parts = chain.replace("[]", "").split(".")
    return ".".join(parts[:2]) if parts[0] in {"self", "cls"} else parts[0]


def _is_made_first(function: FunctionView, loop: int, name: str, position: int) -> bool:
    """Whether each pass makes the name anew before it is used."""
    fact = function.fact
    return name in fact.blocks[loop].targets or any(
        each.operator == "=" and name in each.targets and each.position < position and inside(fact, each.block, loop)
        for each in fact.assignments
    )


def _finding(function: FunctionView, loop: int, call: CallView, reach: Reach) -> Finding:
    block = function.fact.blocks[loop]
    what = {"network": "a network call", "file": "a file operation", "subprocess": "a subprocess"}[reach.effect.kind]
    through = f" over `{block.subject.text[:60]}`" if block.subject is not None else ""
    return call.finding(
        "LOW" if runs_once(function.info) else "MEDIUM",
        f"`{call.written}` awaits {what} for each element of the loop{through} in `{function.fact.name}`, "
        "one after the other although none needs the last one's result",
        "Run a bounded number at once (`asyncio.TaskGroup` or `gather` with a semaphore); use a pipeline or bulk call "
        "where the other side has one.",
        effort="M",
        confidence="definite" if reach.direct and reach.effect.certain else "likely",
        path=reach.path,
        end_line=block.end_line,
    )
