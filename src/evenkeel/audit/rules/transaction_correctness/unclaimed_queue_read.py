"""Queue rows that are read without being claimed

Pending jobs or outbox rows are selected and then run, and only marked afterwards. Between the two, every other worker sees
the same rows as pending.

**Why it costs.** With two instances, or one that overlaps itself after a slow turn, the same mail is sent and the same card
charged twice. It does not show in tests with one worker.

**Do instead.** Claim in one statement: `SELECT ... FOR UPDATE SKIP LOCKED` in the transaction that marks the rows, or
`UPDATE ... WHERE state = 'pending' ... RETURNING` (https://www.postgresql.org/docs/current/sql-select.html). The lock ends with
the transaction, so the mark must be written before the work starts. `evenkeel.hotpath.tasks` is such a queue, with leases
and a fence against workers that come back late.

**Leave it when** the work can be repeated without harm and only one process ever reads the table.

```python flags
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
import httpx
from app.models import Mail

async def send_pending(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient) -> None:
    async with sessions() as session:
        rows = (await session.execute(select(Mail).where(Mail.status == "pending").limit(50))).scalars().all()  # flagged
        for mail in rows:
            await client.post("https://mail.example", json={"to": mail.to})
            mail.status = "sent"
            await session.commit()

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Mail(Base):
    __tablename__ = "mails"
    id: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str]
    status: Mapped[str]
```

```python passes
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
import httpx
from app.models import Mail

async def send_pending(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient) -> None:
    async with sessions() as session:
        query = select(Mail).where(Mail.status == "pending").limit(50).with_for_update(skip_locked=True)
        rows = (await session.execute(query)).scalars().all()
        for mail in rows:
            await client.post("https://mail.example", json={"to": mail.to})
            mail.status = "sent"
        await session.commit()

async def list_pending(session: AsyncSession) -> list[Mail]:
    return list((await session.execute(select(Mail).where(Mail.status == "pending"))).scalars())

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Mail(Base):
    __tablename__ = "mails"
    id: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str]
    status: Mapped[str]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.queue_reads import QueueRead, queue_reads
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import ModuleView

RULE = Rule(title="Queue rows that are read without being claimed", severity="HIGH", needs=frozenset({"db-read"}))


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each read of pending rows that are worked on and marked without a claim."""
    several = _runs_several(context)
    for found in queue_reads(module):
        yield _finding(found, several=several)


def _runs_several(context: ContextStore) -> bool:
    """Whether the project runs workers beside its server: a task queue is in use."""
    return any(each.role == "queue" for each in context.profile.technologies)


def _finding(found: QueueRead, *, several: bool) -> Finding:
    what = found.entity.rpartition(".")[2] or "rows"
    return found.call.finding(
        "CRITICAL" if several else "HIGH",
        f"pending {what} are selected here and marked only in line {found.mark.line}; another worker selects the same rows",
        "Claim them in one statement: FOR UPDATE SKIP LOCKED with the mark in the same transaction, or UPDATE ... RETURNING.",
        confidence="likely",
        path=(found.call.step, found.mark.step),
        end_line=max(found.mark.fact.end_line, found.call.fact.end_line)
        if found.mark.function is found.call.function
        else 0,
    )
