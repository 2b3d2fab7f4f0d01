"""Expired rows removed on the way of a write

A function that takes a lock, writes an event or logs a user in also deletes what has expired: old leases, old
tokens, events past their retention, on every call.

**Why it costs.** Every caller pays for a DELETE that nearly always finds little, and once in a while for one that
finds much: then one request removes thousands of rows, and the others wait for its row locks. In PostgreSQL the
removed versions have to be vacuumed besides (https://www.postgresql.org/docs/current/routine-vacuuming.html). Under
concurrency all callers delete the same rows at the same time, so they queue up behind one another; inside a lock's
transaction the lock is held that long.

**Do instead.** Let a background task remove expired rows, in bounded batches, seldom; let readers and writers treat
an expired row as absent (`WHERE expires_at > now()`, `ON CONFLICT ... DO UPDATE ... WHERE expires_at < now()`).
`evenkeel.hotpath.limiter` has a janitor for leases, `evenkeel.hotpath.writes` keeps retention out of the write.

**Leave it when** the rows are this caller's own and few (a user's previous login token), so that the DELETE
replaces a row instead of sweeping a table.

```python flags
from datetime import datetime
from fastapi import Depends, FastAPI
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Lease(Base):
    __tablename__ = "leases"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    expires_at: Mapped[datetime]

async def get_session() -> AsyncSession: ...

@app.post("/leases/{name}")
async def acquire(name: str, session: AsyncSession = Depends(get_session)) -> None:
    await session.execute(delete(Lease).where(Lease.expires_at < datetime.now()))  # flagged
    session.add(Lease(name=name))
    await session.commit()

async def purge_expired(session: AsyncSession) -> None:
    await session.execute(delete(Lease).where(Lease.expires_at < datetime.now()))

@app.post("/renewals/{name}")
async def renew(name: str, session: AsyncSession = Depends(get_session)) -> None:
    await purge_expired(session)  # flagged
    session.add(Lease(name=name))
    await session.commit()
```

```python flags
from datetime import timedelta
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views import View

class Visit(models.Model):
    path = models.CharField(max_length=80)
    created_at = models.DateTimeField()

class Page(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        Visit.objects.filter(created_at__lt=timezone.now() - timedelta(days=30)).delete()  # flagged
        Visit.objects.create(path=request.path, created_at=timezone.now())
        return HttpResponse("ok")
```

```python passes
from datetime import datetime
from fastapi import Depends, FastAPI
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Lease(Base):
    __tablename__ = "leases"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    expires_at: Mapped[datetime]

async def get_session() -> AsyncSession: ...

@app.post("/leases/{name}")
async def acquire(name: str, session: AsyncSession = Depends(get_session)) -> None:
    session.add(Lease(name=name))
    await session.commit()

@app.delete("/leases/{name}")
async def release(name: str, session: AsyncSession = Depends(get_session)) -> None:
    await session.execute(delete(Lease).where(Lease.name == name))
    session.add(Lease(name=f"{name}-released"))
    await session.commit()

async def purge_expired(session: AsyncSession) -> None:
    await session.execute(delete(Lease).where(Lease.expires_at < datetime.now()))
    session.add(Lease(name="purge"))
    await session.commit()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.expiry import Sweep, sweeps
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="Expired rows removed on the way of a write",
    severity="MEDIUM",
    needs=frozenset({"db-delete"}),
)
LATER = (
    "Move the removal into a background task with bounded batches; treat expired rows as absent where they are read."
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each removal of expired rows in a function that requests go through to write something else."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if function.role in {"job", "startup"} and not function.info.hot:
            continue
        yield from (_finding(function, each) for each in sweeps(function))


def _finding(function: FunctionView, each: Sweep) -> Finding:
    entity = short_entity(each.reach.effect.detail)
    what = f"expired `{entity}` rows" if entity else "expired rows"
    confidence = _confidence(function, each)
    return each.call.finding(
        "HIGH" if each.in_lock else "MEDIUM",
        f"`{each.call.written}` deletes {what} each time `{function.fact.name}` writes (line {each.beside.line})",
        LATER,
        effort="M",
        confidence=confidence,
        path=each.reach.path,
        settled_by="" if confidence != "needs-context" else f"how often `{function.fact.name}` runs",
    )


def _confidence(function: FunctionView, each: Sweep) -> Confidence:
    if function.role == "handler" or function.info.hot:
        return "definite" if each.reach.effect.certain else "likely"
    return "likely" if each.in_lock else "needs-context"
