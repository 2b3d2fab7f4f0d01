"""A table counted on every request or lock

COUNT(*), or another aggregate over many rows, runs to decide something on the way of each request: whether a lock
or a slot is free, a quota is used up, a coupon may be redeemed, a user is the first.

**Why it costs.** PostgreSQL has no stored row count: a COUNT visits every matching index entry or row
(https://wiki.postgresql.org/wiki/Slow_Counting), so the check gets slower as the table grows, and it runs most
often when the load is highest. It also decides nothing safely: between the COUNT and the INSERT another request can
pass the same check, unless both stand under one lock, and then the lock is held for the COUNT.

**Do instead.** Keep the number: a counter column changed with the row it counts (`UPDATE ... SET used = used + 1
WHERE used < limit`, which checks and reserves in one step), a cached or approximate figure where the limit is soft,
`EXISTS` where only "none or some" is asked. `evenkeel.hotpath.limiter` checks and reserves in one step, in memory
first.

**Leave it when** the filter makes the count tiny for good (rows of one order), or the number itself is what the
client asked for. Totals of paged lists are listed as needing context: many clients can do without them.

```python flags
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
LIMIT = 100

class Base(DeclarativeBase): ...

class Lease(Base):
    __tablename__ = "leases"
    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[str]

async def get_session() -> AsyncSession: ...

async def active(session: AsyncSession, room: str) -> int:
    return await session.scalar(select(func.count()).select_from(Lease).where(Lease.room == room))

@app.post("/rooms/{room}/enter")
async def enter(room: str, session: AsyncSession = Depends(get_session)) -> None:
    used = await active(session, room)  # flagged
    if used >= LIMIT:
        raise HTTPException(429)
    session.add(Lease(room=room))
    await session.commit()

@app.post("/rooms/{room}/claim")
async def claim(room: str, session: AsyncSession = Depends(get_session)) -> bool:
    result = await session.execute(select(func.count(Lease.id)).where(Lease.room == room))  # flagged
    taken = result.scalar_one()
    return taken < LIMIT
```

```python flags
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.views import View

class Signup(models.Model):
    event = models.CharField(max_length=20)

class Join(View):
    def post(self, request: HttpRequest, event: str) -> HttpResponse:
        if Signup.objects.filter(event=event).count() >= 500:  # flagged
            return HttpResponse(status=409)
        Signup.objects.create(event=event)
        return HttpResponse(status=201)
```

```python passes
from fastapi import Depends, FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Room(Base):
    __tablename__ = "rooms"
    id: Mapped[int] = mapped_column(primary_key=True)
    used: Mapped[int]
    size: Mapped[int]

async def get_session() -> AsyncSession: ...

@app.post("/rooms/{room}/enter")
async def enter(room: int, session: AsyncSession = Depends(get_session)) -> bool:
    taken = update(Room).where(Room.id == room, Room.used < Room.size).values(used=Room.used + 1)
    result = await session.execute(taken)
    await session.commit()
    return result.rowcount == 1

@app.get("/statistics")
async def statistics(session: AsyncSession = Depends(get_session)) -> dict:
    return {"rooms": await session.scalar(select(func.count()).select_from(Room))}
```

```python passes
import asyncpg

async def nightly(pool: asyncpg.Pool, limit: int) -> None:
    stored = await pool.fetchval("SELECT count(*) FROM events")
    if stored > limit:
        await pool.execute("DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 1000)")
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.admission import Decision, decisions, pages
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(
    title="A table counted on every request or lock",
    severity="HIGH",
    needs=frozenset({"db-count"}),
    facts=frozenset({"assignments"}),
)
RESERVE = (
    "Keep the number instead of counting: a counter that is checked and changed in one UPDATE, or an approximate figure "
    "in memory for a soft limit."
)
SELDOM = 2  # conditions around a count: not every request comes to it
EXISTS = "Ask `EXISTS` (or select one row with `LIMIT 1`): whether there is one at all needs no count."
TOTAL = "Leave the total out, count up to a bound, or cache it; fetch one row more than the page to know if there is a next."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each count that decides on the way of a request; totals of pages need context."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if function.role != "handler" and not function.info.hot:
            continue
        lines: set[int] = set()
        for each in decisions(function):
            seldom = bool(function.blocks_around(each.counting.fact.block, "except"))  # only when something is missing
            if each.counting.line not in lines and not seldom:
                lines.add(each.counting.line)
                yield _finding(each)
        yield from (_total(call) for call in _totals(function) if call.line not in lines)


def _finding(each: Decision) -> Finding:
    entity = short_entity(each.reach.effect.detail)
    what = f"`{entity}` rows" if entity else "rows"
    seldom = len(each.counting.function.blocks_around(each.counting.fact.block, "if", "else", "case")) >= SELDOM
    return each.counting.finding(
        "MEDIUM" if seldom else "HIGH",
        f"`{each.counting.written}` counts {what} on each request to decide `{_shown(each.text)}`",
        EXISTS if each.against_zero else RESERVE,
        effort="S" if each.against_zero else "M",
        confidence=_confidence(each),
        path=each.reach.path,
        settled_by="" if each.admits else "how often this runs, and how many rows the count can meet",
        end_line=max(each.line, each.counting.fact.end_line),
    )


def _confidence(each: Decision) -> Confidence:
    if not each.admits:
        return "needs-context"
    return "definite" if each.leaves and each.reach.effect.certain else "likely"


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _totals(function: FunctionView) -> Iterator[CallView]:
    if pages(function):
        yield from function.calls_with("db-count")


def _total(call: CallView) -> Finding:
    return call.finding(
        "HIGH",
        f"`{call.written}` counts all matching rows for the total of a page",
        TOTAL,
        effort="M",
        confidence="needs-context",
        path=(call.step,),
        settled_by="whether clients need the exact total on every page, and how many rows match",
    )
