"""Slow work inside an open transaction

An HTTP, gRPC or LLM call, a sleep or file access happens while a transaction is open: inside `with session.begin()`,
under `@transaction.atomic`, or between a session's first statement (which opens the transaction by itself) and its commit.

**Why it costs.** The transaction keeps its connection, its row locks and its snapshot for as long as the other side takes
to answer. A pool of ten connections serves ten such requests; the eleventh waits, whatever it wants. Sessions begin a
transaction at the first statement and hold the connection until commit, rollback or close
(https://docs.sqlalchemy.org/en/20/orm/session_basics.html).

**Do instead.** Read what is needed, end the transaction, make the call, then write in a second, short transaction. Where
both must succeed together, write an outbox row in the transaction and send from a worker: `evenkeel.hotpath.outbox`.

**Leave it when** the call is what the lock protects (one import at a time, say) and its time-out is shorter than the
pool's.

```python flags
import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Order

async def charge(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, order_id: int) -> None:
    async with sessions() as session, session.begin():
        order = await session.get(Order, order_id)
        answer = await client.post("https://pay.example", json={"amount": order.amount})  # flagged
        order.paid = answer.is_success

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    paid: Mapped[bool]
```

```python flags
import requests
from django.db import models, transaction

class Invoice(models.Model):
    sent = models.BooleanField(default=False)

def notify(invoice_id: int) -> None:
    requests.post("https://hooks.example", json={"id": invoice_id}, timeout=5)

@transaction.atomic
def finish(invoice_id: int) -> None:
    Invoice.objects.filter(pk=invoice_id).update(sent=True)
    notify(invoice_id)  # flagged
```

```python passes
import httpx
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Order

async def charge(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, order_id: int) -> None:
    async with sessions() as session:
        order = await session.get(Order, order_id)
        amount = order.amount
    answer = await client.post("https://pay.example", json={"amount": amount})
    async with sessions() as session, session.begin():
        await session.execute(update(Order).where(Order.id == order_id).values(paid=answer.is_success))

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    paid: Mapped[bool]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.slow_work import AFTER_COMMIT, SLOW, SlowWork, slow_work
from evenkeel.audit.model.view import ModuleView

RULE = Rule(title="Slow work inside an open transaction", severity="HIGH", needs=frozenset(SLOW))

INSTEAD = "End the transaction first, make the call, then write in a second short one; or hand the call to an outbox."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each slow call that is made while a transaction is open; in a loop it is `long-transaction`."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        for work in slow_work(function):
            if not work.repeated:
                yield _finding(work)


def _finding(work: SlowWork) -> Finding:
    return work.call.finding(
        work.severity,
        f"{_said(work)} while {work.since} is open; its connection and locks wait with it",
        AFTER_COMMIT if work.is_handed_over else INSTEAD,
        effort="M",
        confidence=work.confidence,
        path=work.reach.path,
        settled_by=work.question,
    )


def _said(work: SlowWork) -> str:
    if work.others:
        return f"`{work.call.written}`, and {work.others} more after it, make {work.what}"
    return f"`{work.call.written}` makes {work.what}"
