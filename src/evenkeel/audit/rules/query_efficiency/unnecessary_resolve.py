"""A value looked up by id although it is at hand

A column is selected by the id of an object that the function holds anyway: the caller has `user`, and `user.email`
is read from the database by `user.id`, there or in a helper that takes only the id.

**Why it costs.** A round trip for a value that is in memory. Such helpers are written once for a caller that has
only the id, and then called from places that have everything; behind an endpoint each call is a query per request.

**Do instead.** Read the attribute, or pass the value along. Give the helper a second form that takes the object.
Where only the id is known again and again, keep id and value together in a bounded cache
(`evenkeel.hotpath.bounded`).

**Leave it when** the object may be stale and the value has to be current (a balance, a lock state), or the column is
deferred and loading it is the point of the call.

```python flags
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]

async def email_of(session: AsyncSession, user_id: int) -> str | None:
    return await session.scalar(select(User.email).where(User.id == user_id))

async def greet(session: AsyncSession, user: User) -> str:
    email = await email_of(session, user.id)  # flagged
    return f"Hello {email}"

async def greet_here(session: AsyncSession, user: User) -> str:
    email = await session.scalar(select(User.email).where(User.id == user.id))  # flagged
    return f"Hello {email}"
```

```python flags
from django.db import models

class Shop(models.Model):
    slug = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)

def currency_of(shop_id: int) -> str:
    return Shop.objects.values_list("currency", flat=True).get(pk=shop_id)

def label(shop: Shop, amount: int) -> str:
    return f"{amount} {currency_of(shop.pk)}"  # flagged
```

```python passes
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]

class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]

async def email_of(session: AsyncSession, user_id: int) -> str | None:
    return await session.scalar(select(User.email).where(User.id == user_id))

async def greet(session: AsyncSession, user: User) -> str:
    return f"Hello {user.email}"

async def owner(session: AsyncSession, team: Team) -> str:
    return f"Owned by {await email_of(session, team.owner_id)}"
```

```python passes
from django.db import models

class Shop(models.Model):
    slug = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)

def label(shop: Shop, amount: int) -> str:
    return f"{amount} {shop.currency}"
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.held import Held, held_before, is_on_purpose
from evenkeel.audit.model.loads import Load, loads_of, may_load_twice
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="A value looked up by id although it is at hand",
    severity="MEDIUM",
    needs=frozenset({"db-read"}),
    facts=frozenset({"assignments"}),
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each call that selects columns of an object that the function holds."""
    del context
    for function in filter(may_load_twice, module.functions):
        loads = loads_of(function)
        lines: set[int] = set()
        for load in loads:
            if not load.partial or load.call.line in lines:
                continue
            held = held_before(load, loads)
            if held is not None and held.partial and not is_on_purpose(load):
                lines.add(load.call.line)
                yield _finding(function, load, held)


def _finding(function: FunctionView, load: Load, held: Held) -> Finding:
    entity = short_entity(load.entity)
    place = f"`{load.call.written}`" if len(load.path) == 1 else f"`{load.call.name}`, a call down,"
    return load.call.finding(
        _severity(function),
        f"{place} selects columns of `{entity}` by `{', '.join(load.key)}` although {held.why}",
        f"Read the attribute of the {entity} that is at hand, or pass the value along instead of the key.",
        effort="S",
        confidence="needs-context" if held.open_question else "definite" if held.certain else "likely",
        path=(*((held.step,) if held.step is not None else ()), *load.path),
        settled_by=held.open_question,
    )


def _severity(function: FunctionView) -> Severity:
    return "LOW" if function.role == "startup" else "MEDIUM"
