"""The same row loaded twice

A function loads a row that it, its caller, or one of its dependencies has loaded already: the object is at hand,
but only its id is passed on and the callee selects it again; or two helpers are called with the same key and each
runs the query.

**Why it costs.** A second round trip, and for an ORM a second round of building objects, in nearly every case
inside a request. It also splits one decision over two states of the row: what the first read checked, the second
may not find. The identity map does not help: a query by any column always reaches the database, and only
`Session.get()` of a key that the session holds is answered from memory
(https://docs.sqlalchemy.org/en/20/orm/session_basics.html#get-by-primary-key); that form is not reported. With
`expire_on_commit=True`, SQLAlchemy's default, an attribute read after a commit selects the row anew as well
(https://docs.sqlalchemy.org/en/20/orm/session_api.html#sqlalchemy.orm.Session.params.expire_on_commit).

**Do instead.** Pass the object instead of its id (`update(recipe, data)`), or give the helper an optional parameter
for it; return from the check what the check has loaded. In FastAPI let the dependency that validates the path hand
the object to the handler. A row that many requests need belongs into a bounded cache (`evenkeel.hotpath.bounded`).

**Leave it when** the second read is meant to see another state: after a write, after waiting for something slow,
under a lock (`FOR UPDATE`), or in another transaction. Those are not reported where the code shows them.

```python flags
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]

async def find(session: AsyncSession, job_id: int) -> Job | None:
    result = await session.execute(select(Job).where(Job.id == job_id))
    return result.scalar_one_or_none()

async def finish(session: AsyncSession, job_id: int) -> None:
    job = await find(session, job_id)
    job.state = "done"
    await session.commit()

async def run(session: AsyncSession, job_id: int) -> None:
    job = await find(session, job_id)
    if job.state == "new":
        await finish(session, job.id)  # flagged
```

```python flags
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]

def get_session() -> Session: ...

def by_slug(session: Session, slug: str) -> Item | None:
    return session.query(Item).filter(Item.slug == slug).first()

@app.get("/items/{slug}")
def read(slug: str, session: Session = Depends(get_session)) -> dict:
    if by_slug(session, slug) is None:
        raise HTTPException(404)
    return {"item": by_slug(session, slug)}  # flagged
```

```python flags
from django.db import models
from django.shortcuts import get_object_or_404

class Order(models.Model):
    state = models.CharField(max_length=10)

def cancel(order_id: int) -> None:
    order = Order.objects.get(pk=order_id)
    order.state = "cancelled"
    order.save()

def cancel_view(request, order_id: int) -> None:
    order = get_object_or_404(Order, pk=order_id)
    if order.state == "open":
        cancel(order.pk)  # flagged
```

```python passes
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]

async def finish(session: AsyncSession, job: Job) -> None:
    job.state = "done"
    await session.commit()

async def run(session: AsyncSession, job_id: int) -> None:
    job = await session.get(Job, job_id)
    if job.state == "new":
        await finish(session, job)

async def held(session: AsyncSession, job_id: int) -> str:
    first = await session.get(Job, job_id)
    again = await session.get(Job, job_id)  # the identity map answers
    return first.state + again.state

async def claim(session: AsyncSession, job_id: int) -> Job:
    job = await session.scalar(select(Job).where(Job.id == job_id))
    if job.state != "new":
        raise ValueError(job_id)
    return await session.scalar(select(Job).where(Job.id == job_id).with_for_update())

async def either(session: AsyncSession, job_id: int, other: int) -> Job:
    if job_id:
        return await session.scalar(select(Job).where(Job.id == job_id))
    return await session.scalar(select(Job).where(Job.id == other))
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity, Step
from evenkeel.audit.model.held import Held, held_before, is_on_purpose
from evenkeel.audit.model.loads import Load, loads_of, may_load_twice
from evenkeel.audit.model.loops import per_element
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="The same row loaded twice",
    severity="HIGH",
    needs=frozenset({"db-read", "db-key-read"}),
    facts=frozenset({"assignments", "loops"}),
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each call that loads a row which is at hand already."""
    del context
    for function in filter(may_load_twice, module.functions):
        seen: set[int] = set()
        loads = loads_of(function)
        for load in loads:
            if load.call.line in seen or _is_free(load) or per_element(load.call) is not None:
                continue
            held = held_before(load, loads)
            if held is not None and not held.partial and not is_on_purpose(load):
                seen.add(load.call.line)
                yield _finding(function, load, held)


def _is_free(load: Load) -> bool:
    """`session.get` of a key that the session holds: free, unless the callee opens a session of its own."""
    return load.identity and not load.call.reaches("connect")


def _finding(function: FunctionView, load: Load, held: Held) -> Finding:
    entity = short_entity(load.entity)
    what = f"`{entity}`" if entity else "the row"
    place = f"`{load.call.written}`" if len(load.path) == 1 else f"`{load.call.written}` (at `{_place(load)}`)"
    return load.call.finding(
        severity(function),
        f"{place} loads {what} by `{', '.join(load.key)}` although {held.why}",
        f"Pass the {entity or 'loaded'} object on instead of its key, or return it from the first call.",
        effort="S" if len(load.path) == 1 else "M",
        confidence=_confidence(load, held),
        path=_both(held, load),
        settled_by=held.open_question,
    )


def _place(load: Load) -> str:
    return load.path[-1].function.rpartition(".")[2]


def _both(held: Held, load: Load) -> tuple[Step, ...]:
    return (*((held.step,) if held.step is not None else ()), *load.path)


def _confidence(load: Load, held: Held) -> Confidence:
    if held.open_question:
        return "needs-context"
    return "definite" if load.entity and held.certain else "likely"


def severity(function: FunctionView) -> Severity:
    """HIGH in a request handler, LOW where it runs once."""
    by_role: dict[str, Severity] = {"handler": "HIGH", "startup": "LOW"}
    return by_role.get(function.role, "MEDIUM")
