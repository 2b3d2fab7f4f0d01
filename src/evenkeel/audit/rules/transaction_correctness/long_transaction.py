"""A transaction open across a long piece of work

A transaction stays open around a loop that waits for something outside at each turn, or that works through input of unknown
size before it commits.

**Why it costs.** Row locks are held from the first write to the end of the loop, everybody who wants one of those rows
waits as long, and vacuum cannot remove any row version that is newer than the transaction's snapshot
(https://www.postgresql.org/docs/current/routine-vacuuming.html). When the last element fails, all of it is undone.

**Do instead.** Commit in batches of some hundred elements, and do what waits (HTTP, mail, files) outside: first collect, then
write. Where progress must survive a crash, keep it in a table and continue from there.

**Leave it when** all of it must appear at once and the input is known to be small.

```python flags
import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Feed

async def refresh(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient) -> None:
    async with sessions() as session, session.begin():
        for feed in (await session.execute(select(Feed))).scalars():
            answer = await client.get(feed.url)  # flagged
            feed.body = answer.text

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Feed(Base):
    __tablename__ = "feeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    body: Mapped[str]
```

```python passes
import httpx
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from app.models import Feed

async def refresh(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient) -> None:
    async with sessions() as session:
        feeds = [(feed.id, feed.url) for feed in (await session.execute(select(Feed))).scalars()]
    bodies = [(feed_id, (await client.get(url)).text) for feed_id, url in feeds]
    async with sessions() as session, session.begin():
        await session.execute(update(Feed), [{"id": feed_id, "body": body} for feed_id, body in bodies])

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Feed(Base):
    __tablename__ = "feeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    body: Mapped[str]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.slow_work import AFTER_COMMIT, SLOW, SlowWork, slow_work
from evenkeel.audit.model.view import ModuleView

RULE = Rule(title="A transaction open across a long piece of work", severity="HIGH", needs=frozenset(SLOW))

INSTEAD = "Collect first, make the calls outside, and write in short transactions (in batches where there is much)."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each slow call that an open transaction repeats in a loop."""
    del context
    for function in module.functions_repeating(*RULE.needs):
        for work in slow_work(function):
            if work.repeated:
                yield _finding(work)


def _finding(work: SlowWork) -> Finding:
    return work.call.finding(
        work.severity,
        f"`{work.call.written}` makes {work.what} at every turn of a loop while {work.since} is open; locks and "
        "connection are held for the whole loop",
        AFTER_COMMIT if work.is_handed_over else INSTEAD,
        effort="M",
        confidence=work.confidence,
        path=work.reach.path,
        settled_by=work.question,
    )
