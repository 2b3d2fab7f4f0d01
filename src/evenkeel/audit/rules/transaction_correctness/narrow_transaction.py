"""What belongs together is committed apart

A function makes a parent row and commits, then makes its children (or the audit row, or the new status) in a second
transaction. When the process dies or the second step fails, half of it stays.

**Why it costs.** Every crash, time-out and deploy in between leaves orders without lines, users without profiles and
states that no code expects: the repair is by hand. It also pays two commits, each a flush to disk, where one would do.

**Do instead.** One transaction around both: `async with session.begin():` in the function that knows they belong
together, and repositories that `flush()` and leave the commit to their caller.

**Leave it when** the first commit must be visible before the second step starts (another service reads it) and the second
step can be repeated safely.

```python flags
from sqlalchemy.ext.asyncio import AsyncSession
from app.models import Order, Line

async def place(session: AsyncSession, items: list[str]) -> Order:
    order = Order()
    session.add(order)
    await session.commit()  # flagged
    session.add(Line(order_id=order.id, items=items))
    await session.commit()
    return order

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    items: Mapped[str]
```

```python flags
from django.db import models

class User(models.Model):
    username = models.TextField()

class Profile(models.Model):
    user_id = models.IntegerField()

def register(name: str) -> None:
    user = User.objects.create(username=name)  # flagged
    Profile.objects.create(user_id=user.pk)
```

```python passes
from django.db import models, transaction

class User(models.Model):
    username = models.TextField()

class Profile(models.Model):
    user_id = models.IntegerField()

@transaction.atomic
def register(name: str) -> None:
    user = User.objects.create(username=name)
    Profile.objects.create(user_id=user.pk)

def both(name: str) -> None:
    with transaction.atomic():
        user = User.objects.create(username=name)
        Profile.objects.create(user_id=user.pk)

def either(name: str, old: bool) -> None:
    if old:
        User.objects.filter(username=name).update(is_active=True)
    else:
        User.objects.create(username=name)
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import EffectKind
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.on_purpose import NEAR
from evenkeel.audit.model.regions import WRITES, regions
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.singles import snake
from evenkeel.audit.model.units import CommittedUnit, committed_units, is_derived
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(title="What belongs together is committed apart", severity="HIGH", needs=frozenset({"db-write", "commit"}))
RECORD = re.compile(r"(^|_)(event|log|audit|history|activity|trail|revision|changelog)s?(_|$)")
DEEPEST = 3  # steps of a witness path: the call, a service, a repository
OUTSIDE: tuple[EffectKind, ...] = ("network", "subprocess", "sleep")


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """The first commit of each pair in which the second unit is made from what the first one made."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        units = committed_units(function, least=2)
        if len(units) < 2 or _is_one_transaction(function):
            continue
        for first, second in _pairs(units):
            yield _finding(function, first, second)
            break


def _is_one_transaction(function: FunctionView) -> bool:
    """Whether a decorator puts all of the function into one."""
    return any(each.kind == "transaction" and each.opened == "decorator" for each in regions(function))


def _pairs(units: tuple[CommittedUnit, ...]) -> Iterator[tuple[CommittedUnit, CommittedUnit]]:
    """Units that one run makes one after the other, the second from the first one's result."""
    for index, first in enumerate(units):
        for second in units[index + 1 :]:
            if second.commit.follows(first.commit) and not _alternate(first, second) and is_derived(first, second):
                yield first, second
                break


def _alternate(first: CommittedUnit, second: CommittedUnit) -> bool:
    """In a loop that the other is not in: that is another fault (a commit per element)."""
    return first.commit.loops != second.commit.loops and bool(first.commit.loops)


def _finding(function: FunctionView, first: CommittedUnit, second: CommittedUnit) -> Finding:
    question = _question(first, second)
    return first.commit.finding(
        _severity(function, first, second),
        f"`{function.fact.name}` commits in line {first.commit.line} and writes what depends on it in a transaction of its "
        f"own in line {second.write.line}; a failure in between leaves half of it",
        "Put both into one transaction, and let the callers of repositories commit.",
        confidence="needs-context" if question else "definite" if first.certain and second.certain else "likely",
        path=(first.commit.step, second.write.step),
        settled_by=question,
        end_line=max(second.write.fact.end_line, second.commit.fact.end_line),
    )


def _severity(function: FunctionView, first: CommittedUnit, second: CommittedUnit) -> Severity:
    """HIGH for a parent and what hangs on it, MEDIUM for a record of what happened; one lower where it runs once."""
    recorded = RECORD.search(snake(second.entity)) is not None
    high = first.inserts and second.inserts and not recorded
    if function.role == "startup":
        return "MEDIUM" if high else "LOW"
    return "HIGH" if high else "MEDIUM"


def _question(first: CommittedUnit, second: CommittedUnit) -> str:
    """One transaction around both would stay open during what reaches outside the process in between; and rows that
    callees of callees write are rarely what the two have to do with each other."""
    call = first.commit
    for other in call.function.calls_reaching(*OUTSIDE):
        between = call.fact.position < other.fact.position <= second.commit.fact.position
        if between and other.follows(call) and any(r.effect.detail not in NEAR for r in other.reaches(*OUTSIDE)):
            return f"whether `{other.name}` on line {other.line}, which reaches outside the process, must see the first commit"
    for unit in (first, second):
        if all(len(each.path) > DEEPEST for each in unit.write.reaches(*WRITES)):
            return f"whether what `{unit.write.name}` writes, deep inside, belongs to one unit of work with the rest"
    return ""
