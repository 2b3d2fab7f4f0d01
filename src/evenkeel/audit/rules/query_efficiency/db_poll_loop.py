"""The database polled in a loop

A loop asks the database, sleeps, and asks again, until a lock is free, a job has come, a status has changed or an
event has been written: per waiting client, or in one background loop.

**Why it costs.** Most polls find nothing. With W waiters and an interval of T seconds the database answers W/T
queries a second for nothing, and the answer is late by T/2 on average; to halve the delay doubles the load. 500
streams that poll every 200 ms are 2,500 queries a second before the first user has done anything. PostgreSQL can
tell instead of being asked (https://www.postgresql.org/docs/current/sql-notify.html), and inside one process an
`asyncio.Event` or queue wakes a waiter at no cost (https://docs.python.org/3/library/asyncio-sync.html#event).

**Do instead.** Wake the waiter: an event or queue in the process, LISTEN/NOTIFY or pub/sub between processes, a
slow poll only as the fall-back, with random jitter. `evenkeel.hotpath.events` serves streams from memory,
`evenkeel.hotpath.tasks` wakes workers, `evenkeel.hotpath.limiter` hands on a lock, `evenkeel.hotpath.cancellation`
ends a run without asking.

**Leave it when** one background loop polls seldom (minutes), or the other side cannot tell. A loop that sleeps only
after an error is a retry and is not reported; neither is a schedule of a minute or more.

```python flags
import asyncio
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]

async def get_session() -> AsyncSession: ...

async def state_of(session: AsyncSession, job_id: int) -> str:
    return await session.scalar(select(Job.state).where(Job.id == job_id))

@app.get("/jobs/{job_id}/wait")
async def wait(job_id: int, session: AsyncSession = Depends(get_session)) -> str:
    while True:
        state = await state_of(session, job_id)  # flagged
        if state == "done":
            return state
        await asyncio.sleep(0.5)
```

```python flags
import time
import sqlite3

def take(connection: sqlite3.Connection, name: str) -> None:
    while connection.execute("SELECT 1 FROM locks WHERE name = ?", (name,)).fetchone():  # flagged
        time.sleep(0.1)
    connection.execute("INSERT INTO locks (name) VALUES (?)", (name,))

def work(connection: sqlite3.Connection) -> None:
    while True:
        row = connection.execute("SELECT id FROM jobs WHERE state = 'new' LIMIT 1").fetchone()  # flagged
        if row is None:
            time.sleep(1)
            continue
        print(row)
```

```python passes
import asyncio
import asyncpg

async def wait(changed: asyncio.Event, pool: asyncpg.Pool, job_id: int) -> str:
    while True:
        state = await pool.fetchval("SELECT state FROM jobs WHERE id = $1", job_id)
        if state == "done":
            return state
        await changed.wait()

async def connect(dsn: str) -> asyncpg.Connection:
    for attempt in range(10):
        try:
            connection = await asyncpg.connect(dsn)
            await connection.fetchval("SELECT 1")
            return connection
        except OSError:
            await asyncio.sleep(2**attempt)
    raise ConnectionError(dsn)

async def nightly(pool: asyncpg.Pool) -> None:
    while True:
        await pool.fetchval("SELECT count(*) FROM jobs")
        await asyncio.sleep(24 * 60 * 60)

async def hourly(pool: asyncpg.Pool) -> None:
    while True:
        await pool.fetchval("SELECT count(*) FROM jobs")
        await asyncio.sleep(3600)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity
from evenkeel.audit.model.polling import Poll, is_schedule, polls
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="The database polled in a loop",
    severity="HIGH",
    needs=frozenset({"sleep"}),
    facts=frozenset({"loops"}),
)
WAKE = (
    "Let the writer wake the waiter (an event or queue in the process, LISTEN/NOTIFY or pub/sub between processes) and "
    "poll slowly, with jitter, only as the fall-back."
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each loop that queries and sleeps in turn, at the query."""
    del context
    for function in module.functions_repeating(*RULE.needs):
        for poll in polls(function):
            if not is_schedule(poll):
                yield _finding(function, poll)


def _finding(function: FunctionView, poll: Poll) -> Finding:
    named = short_entity(poll.reach.effect.detail)
    entity = f"for `{named}`" if named else "the database"
    if poll.reach.effect.kind == "network":
        entity = "Redis for a lock"
    every = f"every {poll.pause_s:g} s" if poll.pause_s is not None else f"after each `{poll.pause.written}`"
    who = "for each request or connection that waits" if function.role == "handler" else "in a background loop"
    return poll.query.finding(
        _severity(function),
        f"`{poll.query.written}` asks {entity} {every}, {who}",
        WAKE,
        effort="M" if function.role == "handler" else "L",
        confidence=_confidence(poll),
        path=poll.reach.path,
        end_line=poll.block.end_line,
    )


def _confidence(poll: Poll) -> Confidence:
    return "definite" if poll.reach.effect.certain and poll.pause_s is not None else "likely"


def _severity(function: FunctionView) -> Severity:
    by_role: dict[str, Severity] = {"handler": "HIGH", "startup": "LOW"}
    return by_role.get(function.role, "MEDIUM")
