"""A cache that dies with the request

A service keeps what it has read from the database in an attribute, and the service itself is made anew for each
request by dependency injection: the cache is empty whenever it is asked first, which is always.

**Why it costs.** The query that the cache was to save runs on every request, for data that outlives requests:
settings, roles, rates, categories. FastAPI makes a dependency's result once per request and drops it after
(https://fastapi.tiangolo.com/tutorial/dependencies/sub-dependencies/#using-the-same-dependency-multiple-times). It
looks cached in review, so nobody looks again.

**Do instead.** Give the cache a home that lives as long as the data: a bounded map with a time to live in the
process (`evenkeel.hotpath.bounded`), made once at start-up and injected, with an explicit invalidation where
writers change the data.

**Leave it when** the cache is meant to serve one request only: it saves the second and third look-up inside it, and
the data must be fresh in the next. Caches keyed by what the request asks for are listed as needing context for that
reason.

```python flags
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Rate(Base):
    __tablename__ = "rates"
    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str]
    value: Mapped[float]

async def get_session() -> AsyncSession: ...

class Rates:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self._cache = None

    async def all(self) -> dict[str, float]:
        if self._cache is None:
            rows = (await self.session.scalars(select(Rate))).all()  # flagged
            self._cache = {row.currency: row.value for row in rows}
        return self._cache

def get_rates(session: AsyncSession = Depends(get_session)) -> Rates:
    return Rates(session)

@app.get("/convert")
async def convert(amount: float, to: str, rates: Rates = Depends(get_rates)) -> float:
    return amount * (await rates.all())[to]
```

```python passes
from functools import lru_cache
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()

class Base(DeclarativeBase): ...

class Rate(Base):
    __tablename__ = "rates"
    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str]
    value: Mapped[float]

sessions = async_sessionmaker()

class Rates:
    def __init__(self) -> None:
        self._cache = None

    async def all(self) -> dict[str, float]:
        if self._cache is None:
            async with sessions() as session:
                rows = (await session.scalars(select(Rate))).all()
            self._cache = {row.currency: row.value for row in rows}
        return self._cache

@lru_cache
def get_rates() -> Rates:
    return Rates()

@app.get("/convert")
async def convert(amount: float, to: str, rates: Rates = Depends(get_rates)) -> float:
    return amount * (await rates.all())[to]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.caches import Cache, request_caches
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Step
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import ModuleView

RULE = Rule(
    title="A cache that dies with the request",
    severity="MEDIUM",
    needs=frozenset({"db-read"}),
    facts=frozenset({"assignments"}),
)
OUTLIVE = (
    "Keep it where it outlives the request: a bounded map with a time to live, made once at start-up and injected; "
    "or drop the attribute if it saves nothing inside one request."
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each attribute that caches rows on an object made for each request, at the query that fills it."""
    del context
    yield from (_finding(each) for each in request_caches(module))


def _finding(each: Cache) -> Finding:
    owner = each.fill.function.fact.qualname.rpartition(".")[0]
    entity = short_entity(each.reach.effect.detail)
    rows = f"`{entity}` rows" if entity else "rows"
    confidence: Confidence = "needs-context" if each.keyed else "likely"
    return each.fill.finding(
        "HIGH" if each.heavy else "MEDIUM",
        f"`{each.attribute}` caches {rows} on a `{owner}` that `{_short(each.made_in.name)}` makes for each request",
        OUTLIVE,
        effort="M",
        confidence=confidence,
        path=(*each.reach.path, Step(each.made_in.file, each.made_in.line, each.made_in.name)),
        settled_by="whether the cache is meant to serve one request only" if each.keyed else "",
    )


def _short(name: str) -> str:
    return name.rpartition(".")[2]
