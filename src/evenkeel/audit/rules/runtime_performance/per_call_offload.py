"""A thread hop per storage call

An async function reaches its storage through `to_thread`, `run_in_executor` or `run_in_threadpool`, call by call,
although the database has a natively async driver: async code, a hop to a thread, synchronous code, and back.

**Why it costs.** A hop takes 129 µs on asyncio and 68 µs on uvloop (CPython 3.11, 2.5 GHz), about as long as the query
on a near database. Worse is the hidden queue: the default executor has at most `min(32, cpus + 4)` threads
(https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.ThreadPoolExecutor), Starlette's pool 40
(https://www.starlette.io/threadpool/). When each request hops several times, the pool is the bottleneck that no metric
of the database shows, and P99 jitters.

**Do instead.** Use the natively async driver on the hot path (asyncpg, psycopg's AsyncConnection, SQLAlchemy's
AsyncSession, PyMongo's AsyncMongoClient, redis.asyncio); rarely used calls may stay as they are.
`evenkeel.hotpath.storage` moves module by module, each with a switch back. Where no async driver exists (SQLite), hop
once per unit of work, not once per call.

**Leave it when** the hop carries a whole unit of work of many statements and the path is not hot: such a hop is listed
as needing context. Django's ORM is not reported, its async interface hops by itself
(https://docs.djangoproject.com/en/stable/topics/async/).

```python flags
# file: requirements.txt
psycopg2-binary==2.9.9
# file: app/storage.py
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from app.models import Chat, Message

engine = create_engine("postgresql+psycopg2://localhost/app")

class Storage:
    def load_chat(self, chat_id: int) -> Chat | None:
        with Session(engine) as session:
            return session.scalar(select(Chat).where(Chat.id == chat_id))

    def append(self, chat_id: int, text: str) -> None:
        with Session(engine) as session:
            session.add(Message(chat_id=chat_id, text=text))
            session.commit()
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Chat(Base):
    __tablename__ = "chats"
    id: Mapped[int] = mapped_column(primary_key=True)

class Message(Base):
    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    chat_id: Mapped[int]
    text: Mapped[str]
# file: app/main.py
import asyncio
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from app.storage import Storage

app = FastAPI()
storage = Storage()

@app.post("/chats/{chat_id}")
async def say(chat_id: int, text: str) -> str:
    chat = await asyncio.to_thread(storage.load_chat, chat_id)  # flagged
    await run_in_threadpool(storage.append, chat_id, text)  # flagged
    return "ok" if chat else "new"
```

```python passes
# file: app/main.py
import asyncio
from pathlib import Path
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from app.models import Chat

app = FastAPI()
sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))

@app.get("/chats/{chat_id}")
async def chat(chat_id: int) -> int:
    async with sessions() as session:
        found = await session.scalar(select(Chat).where(Chat.id == chat_id))
    text = await asyncio.to_thread(Path("greeting.txt").read_text)
    return found.id if found else len(text)
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Chat(Base):
    __tablename__ = "chats"
    id: Mapped[int] = mapped_column(primary_key=True)
```

```python passes
# file: app/jobs.py
import asyncio
import sqlite3

def rebuild(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM totals")
        connection.execute("INSERT INTO totals SELECT day, sum(cents) FROM orders GROUP BY day")
        connection.execute("UPDATE state SET rebuilt = 1")

async def nightly(path: str) -> None:
    await asyncio.to_thread(rebuild, path)
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.embedded import driver_of
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.masks import HOPS, mask_of
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

STORAGE: tuple[EffectKind, ...] = ("db-read", "db-key-read", "db-write", "db-pending", "db-flush", "commit")

STORES = mask_of(*STORAGE, "connect", "network")
ROWS: tuple[EffectKind, ...] = ("db-read", "db-write", "db-pending")
RULE = Rule(title="A thread hop per storage call", severity="HIGH", needs=frozenset({"offload"}))

POSTGRESQL = "asyncpg, or psycopg's AsyncConnection"
NATIVE = {
    "postgresql": POSTGRESQL,
    "cockroachdb": POSTGRESQL,
    "mysql": "asyncmy or aiomysql",
    "mariadb": "asyncmy or aiomysql",
    "mongodb": "PyMongo's AsyncMongoClient",
    "oracle": "oracledb's connect_async",
    "neo4j": "neo4j's AsyncGraphDatabase",
}
DATABASE_OF = {
    **dict.fromkeys(("psycopg2", "psycopg", "pg8000", "asyncpg", "psqlpy", "aiopg"), "postgresql"),
    **dict.fromkeys(("pymysql", "mysqlclient", "mysql-connector", "aiomysql"), "mysql"),
    **dict.fromkeys(("pymongo", "motor"), "mongodb"),
    **dict.fromkeys(("sqlite3", "apsw", "aiosqlite"), "sqlite"),
}
NOT_MEANT = frozenset({"greenlet", "process", "thread-sensitive"})  # no thread, or one that the framework asks for
HOPS_BY_ITSELF = frozenset({"django-orm"})
DEEPEST = 3  # wrappers around a hop
THIN_CALLS = 2  # storage calls, and kinds of rows, in one hop: more are a unit of work


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each hop to a thread that is made for storage."""
    if context.tech_stack.get("orm") in HOPS_BY_ITSELF:
        return
    database = _database(context)
    for function in module.functions:
        hops = _hops(function) if function.is_async and not runs_once(function.info) else []
        for call, reach in hops:
            yield from _judge(call, reach, len(hops), database)


def _database(context: ContextStore) -> str:
    """The database by its own evidence, else by the drivers in use; "" when nothing says."""
    named = context.tech_stack.get("db")
    drivers = (DATABASE_OF.get(each.name) for each in context.profile.technologies if each.role == "driver")
    return named or next((each for each in drivers if each), "")


def _hops(function: FunctionView) -> list[tuple[CallView, Reach]]:
    """Hops that carry little more than one storage call, each with the way to it."""
    found = []
    for call in function.calls_marked(HOPS, STORES):
        if call.link.implicit or _is_meant(call) or _is_chosen_elsewhere(call):
            continue
        reached = (
            call.reaches(*STORAGE)
            or _opened(call)
            or tuple(each for each in call.reaches("network") if each.effect.detail == "redis")
        )
        if reached and _is_thin(call, reached):
            found.append((call, reached[0]))
    return found


def _opened(call: CallView) -> tuple[Reach, ...]:
    """Database connections that are opened for the hop: what it runs on them comes from its callers."""
    return tuple(each for each in call.reaches("connect") if each.effect.detail == "connection" and not each.kept)


def _is_chosen_elsewhere(call: CallView, depth: int = 0) -> bool:
    """Whether the hop is that of one of several implementations behind a protocol: it is told there, once, and not at every
    place that calls them."""
    if call.library or depth > DEEPEST:
        return False
    if len(call.targets) > 1:
        return True
    views = (call.function.module.function(each) for each in call.targets)
    hops = [each for view in views if view is not None for each in view.calls_marked(HOPS)]
    return bool(hops) and all(_is_chosen_elsewhere(each, depth + 1) for each in hops)


def _is_meant(call: CallView) -> bool:
    makers = (call, call.receiver)
    effects = (each.effect("offload") for each in makers if each is not None)
    return any(effect is not None and effect.detail in NOT_MEANT for effect in effects)


def _is_thin(call: CallView, reached: Sequence[Reach]) -> bool:
    """Whether what runs in the thread is one storage call and its like, no whole unit of work."""
    if len({each.effect.detail for each in reached}) > THIN_CALLS:
        return False
    views = [call.function.module.function(run) for run in call.runs]
    counts = [sum(1 for each in view.calls_reaching(*ROWS) if each.reaches(*ROWS)) for view in views if view]
    return max(counts, default=0) <= THIN_CALLS


def _judge(call: CallView, reach: Reach, hops: int, database: str) -> Iterator[Finding]:
    used = DATABASE_OF.get(driver_of(call, reach), database)
    store = "redis" if reach.effect.kind == "network" else used
    driver = "redis.asyncio" if store == "redis" else NATIVE.get(store, "")
    info = call.function.info
    again_and_again = hops > 1 or bool(call.loops) or (info.hot and bool(_opened(call)))
    if store and not driver and not again_and_again:
        return  # one hop per unit of work is the best there is
    yield call.finding(
        "HIGH" if info.hot and driver else "MEDIUM",
        f"`{call.written}` in `{call.function.fact.name}` takes a thread for one storage call "
        f"({_what(reach)}){f', {hops} such hops in this function' if hops > 1 else ''}",
        f"Use a natively async driver on this path ({driver}), module by module (evenkeel.hotpath.storage)."
        if driver
        else "Put the storage calls of one unit of work into one function, hop once for all of them, and keep the connection.",
        effort="L" if driver else "M",
        confidence=_confidence(info.hot, driver, again_and_again=again_and_again),
        path=reach.path,
        settled_by="" if store else "which database this is, and whether it has a natively async driver",
    )


def _confidence(hot: bool, driver: str, *, again_and_again: bool) -> Confidence:
    if not again_and_again and not (driver and hot):
        return "needs-context"
    return "definite" if driver else "likely"


def _what(reach: Reach) -> str:
    effect = reach.effect
    entity = effect.detail.rpartition(".")[2]
    return f"{effect.kind} of `{entity}`" if entity else effect.kind
