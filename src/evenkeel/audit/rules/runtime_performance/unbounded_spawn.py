"""A task per element of something of unknown size

A loop starts a task or a thread for everything it finds, or gathers an awaitable per row, message, or URL, and nothing
bounds how many run at once: no semaphore, no pool, no batches.

**Why it costs.** Ten thousand rows become ten thousand tasks that want a connection each: the pool (5 + 10 connections
in SQLAlchemy, https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.QueuePool) makes all but fifteen
wait until they time out, the other side sees a flood, and memory holds every half-done answer. In a loop that drains a
queue there is no end to it: what is taken from the queue waits in memory instead, where no other worker can have it.

**Do instead.** A fixed number of workers, or a semaphore around the work
(https://docs.python.org/3/library/asyncio-sync.html#asyncio.Semaphore); for threads a `ThreadPoolExecutor`. A queue's
worker takes only as much as it has free slots for (`evenkeel.hotpath.tasks`: `max_workers`, claims in batches).

**Leave it when** the number is small by nature: the plugins that are configured, the fields of a form. A loop over an
attribute whose size nothing in the code tells is listed as needing context. Not reported: workers counted by
`range(n)`, batches, queries with a limit, work that holds a semaphore, tasks that only compute, what only start-up
reaches.

```python flags
import asyncio
import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Order

async def check(client: httpx.AsyncClient, url: str) -> int:
    return (await client.get(url)).status_code

async def check_all(client: httpx.AsyncClient, urls: list[str]) -> list[int]:
    return await asyncio.gather(*[check(client, url) for url in urls])  # flagged

async def consume(queue: asyncio.Queue[str], client: httpx.AsyncClient) -> None:
    while True:
        url = await queue.get()
        asyncio.create_task(check(client, url))  # flagged

class Poller:
    def __init__(self, sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient) -> None:
        self.sessions = sessions
        self.client = client

    async def run(self, order_id: int) -> None:
        async with self.sessions() as session:
            order = await session.get(Order, order_id)
            await self.client.post("https://example.org", json={"id": order.id})

    async def poll(self) -> None:
        while True:
            async with self.sessions() as session:
                ids = (await session.scalars(select(Order.id).where(Order.pending))).all()
            for order_id in ids:
                asyncio.create_task(self.run(order_id))  # flagged
            await asyncio.sleep(1)
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    pending: Mapped[bool]
```

```python flags
import asyncio
import threading
import aiohttp
import requests

def ping(url: str) -> None:
    requests.get(url)

def ping_all(urls: list[str]) -> None:
    for url in urls:
        threading.Thread(target=ping, args=(url,)).start()  # flagged

async def fetch(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        return await answer.text()

async def fetch_all(session: aiohttp.ClientSession, urls: list[str]) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fetch(session, url)) for url in urls]  # flagged
    return [task.result() for task in tasks]

async def fetch_again(session: aiohttp.ClientSession, urls: list[str]) -> None:
    waiting = []
    for url in urls:
        waiting.append(fetch(session, url))  # flagged
    await asyncio.gather(*waiting)
```

```python passes
import asyncio
from concurrent.futures import ThreadPoolExecutor
import httpx
import requests

class Fetcher:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.limit = asyncio.Semaphore(10)

    async def fetch(self, url: str) -> str:
        async with self.limit:
            return (await self.client.get(url)).text

    async def fetch_all(self, urls: list[str]) -> list[str]:
        return await asyncio.gather(*(self.fetch(url) for url in urls))

async def get(client: httpx.AsyncClient, url: str) -> str:
    return (await client.get(url)).text

async def in_batches(client: httpx.AsyncClient, urls: list[str]) -> None:
    for start in range(0, len(urls), 20):
        batch = urls[start : start + 20]
        await asyncio.gather(*[get(client, url) for url in batch])

async def both(client: httpx.AsyncClient) -> None:
    await asyncio.gather(get(client, "https://a.example"), get(client, "https://b.example"))
    await asyncio.gather(*[get(client, f"https://{name}.example") for name in ("a", "b", "c")])

async def worker(queue: asyncio.Queue[str], client: httpx.AsyncClient) -> None:
    while True:
        await get(client, await queue.get())

async def start(queue: asyncio.Queue[str], client: httpx.AsyncClient, count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(worker(queue, client))

def pooled(urls: list[str]) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        for url in urls:
            pool.submit(requests.get, url)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.masks import mask_of
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.spawns import Source, Spawn, is_bounded, source_of, spawns
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(title="A task per element of something of unknown size", severity="MEDIUM", facts=frozenset({"loops"}))

COSTLY: tuple[EffectKind, ...] = ("network", "db-read", "db-write", "subprocess", "cpu")
SPAWNING = mask_of("gather", "spawn")
LOCAL = frozenset({"dbus", "docker"})
INSTEAD = {
    "task": "Put a semaphore around the work, or start a fixed number of workers that share the elements.",
    "thread": "Use a `ThreadPoolExecutor` with a fixed number of workers.",
    "stream": "Take from the queue only what there are free slots for: a fixed number of workers, or a semaphore "
    "that is acquired before the next element is taken (evenkeel.hotpath.tasks).",
}


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each loop that starts or gathers work without a bound."""
    del context
    for function in module.functions_reaching("gather", "spawn"):
        if runs_once(function.info) or not (function.looped_mask & SPAWNING or function.does("gather")):
            continue
        seen: set[int] = set()
        for spawn in spawns(function):
            if spawn.loop not in seen and not is_bounded(spawn):
                seen.add(spawn.loop)
                yield from _judge(function, spawn)


def _judge(function: FunctionView, spawn: Spawn) -> Iterator[Finding]:
    works = [spawn.call, *(each for each in function.calls if each.fact.parent == spawn.call.index)]
    known = bool(spawn.works) or any(each.library for each in works if not each.has("spawn", "gather"))
    if known and not any(_costs(each) for each in works):
        return
    source = source_of(spawn)
    confidence = _confidence(source, known=known)
    if confidence == "needs-context" and not function.info.hot:
        return  # what nobody waits for, over what nobody knows the size of
    how = "gathers" if spawn.gathered else "starts"
    over = spawn.block.subject.text[:60] if spawn.loop >= 0 and spawn.block.subject else ""
    each = "for everything it takes from the queue" if source == "stream" else f"for each element of `{over}`"
    yield spawn.call.finding(
        "HIGH" if source == "stream" else "MEDIUM",
        f"`{function.fact.name}` {how} `{_named(spawn.call)}` {each}, and nothing bounds how many run at once",
        INSTEAD["stream" if source == "stream" else "thread" if _is_thread(spawn.call) else "task"],
        effort="M" if source == "stream" else "S",
        confidence=confidence,
        path=(spawn.call.step, *((spawn.gathered.step,) if spawn.gathered else ())),
        settled_by=f"how many elements `{over}` can have" if confidence == "needs-context" else "",
    )


def _costs(call: CallView) -> bool:
    """Whether a work takes something that there is not enough of; the machine's own daemons queue by themselves."""
    return any(each.effect.detail not in LOCAL for each in call.reaches(*COSTLY, spawned=True))


def _confidence(source: Source, *, known: bool) -> Confidence:
    if source == "unknown" or not known:
        return "needs-context"
    return "definite" if source == "stream" else "likely"


def _named(call: CallView) -> str:
    inner = [each for each in call.function.calls if each.fact.parent == call.index and each.runs]
    return inner[0].written if inner else call.written


def _is_thread(call: CallView) -> bool:
    effect = call.effect("spawn")
    return effect is not None and effect.detail == "thread"
