"""One query per element of a loop

A SELECT runs once for each element of a loop: written there, made by a function that the loop calls (in any file),
by a comprehension under `gather`, by `refresh`, or by reading a relationship that the query before the loop did not
load. One query for the list and one for each of its N elements: N+1.

**Why it costs.** Each query pays a round trip, parsing, planning and the making of objects, whatever it returns.
SQLAlchemy calls this the "N plus one problem" and loads lazily unless told otherwise
(https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html); Django says the same of `select_related` and
`prefetch_related` (https://docs.djangoproject.com/en/stable/ref/models/querysets/#select-related). `asyncio.gather`
over the queries does not help on one session: an AsyncSession must not be used by concurrent tasks
(https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html), and on several it takes a connection for each
element.

**Do instead.** Ask once for all of them: `where(Model.id.in_(ids))` and a dict by id, a join, or a loader option
(`selectinload`, `joinedload`, `select_related`, `prefetch_related`) on the query that fills the list. In an agent
backend `evenkeel.hotpath.storage` loads a session's messages and tasks in one statement each.

**Leave it when** the loop is known to be short (two or three elements, and nothing makes it longer), or each pass
waits for something slower than a query anyway. Batches (`for chunk in chunks(ids)`) are no fault and are not
reported.

```python flags
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]

async def buyer(session: AsyncSession, order: Order) -> User | None:
    return await session.scalar(select(User).where(User.id == order.user_id))

async def export(session: AsyncSession) -> list[dict]:
    rows = []
    for order in (await session.scalars(select(Order))).all():
        user = await buyer(session, order)  # flagged
        rows.append({"order": order.id, "buyer": user.name})
    return rows
```

```python flags
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

class Base(DeclarativeBase): ...

class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()

def overview(session: Session) -> list[str]:
    invoices = session.scalars(select(Invoice)).all()
    return [invoice.customer.name for invoice in invoices]  # flagged
```

```python flags
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

def titles() -> list[str]:
    found = []
    for book in Book.objects.filter(title__startswith="A"):
        found.append(f"{book.title} by {book.author.name}")  # flagged
    return found
```

```python flags
import asyncpg

async def balances(connection: asyncpg.Connection, accounts: list[int]) -> dict[int, int]:
    found = {}
    for account in accounts:
        found[account] = await connection.fetchval("SELECT balance FROM accounts WHERE id = $1", account)  # flagged
    return found
```

```python passes
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

class Base(DeclarativeBase): ...

class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()

def overview(session: Session) -> list[str]:
    invoices = session.scalars(select(Invoice).options(selectinload(Invoice.customer))).all()
    return [invoice.customer.name for invoice in invoices]

def by_id(session: Session, ids: list[int]) -> dict[int, Invoice]:
    found = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        found.update({each.id: each for each in session.scalars(select(Invoice).where(Invoice.id.in_(part)))})
    return found

def first_free(session: Session, name: str) -> str:
    for attempt in range(5):
        candidate = f"{name}-{attempt}"
        if session.scalar(select(Customer).where(Customer.name == candidate)) is None:
            return candidate
    raise ValueError(name)
```

```python passes
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

def titles() -> list[str]:
    return [f"{book.title} by {book.author.name}" for book in Book.objects.select_related("author")]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.accesses import short_entity
from evenkeel.audit.model.applied import applied_accesses, applied_loads
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity, Step
from evenkeel.audit.model.fluent import begun_at
from evenkeel.audit.model.inner_loads import inner_loads
from evenkeel.audit.model.invariant_queries import repeated_questions
from evenkeel.audit.model.lazy_loads import LazyLoad, lazy_loads, managed_loading, reads_relation
from evenkeel.audit.model.loop_data import flows_into
from evenkeel.audit.model.loops import Repetition, per_element, per_look_up
from evenkeel.audit.model.masks import APPLIED, LAZY, LAZY_READ
from evenkeel.audit.model.own_relations import open_relation
from evenkeel.audit.model.repeats import Repeated, distinct_lines, loop_text, repeated_accesses, units_of_work
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.serialised import LOADED, SHOWS, open_fields
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(
    title="One query per element of a loop",
    severity="HIGH",
    needs=frozenset({"db-read", "db-refresh"}),
    facts=frozenset({"loops", "reads", "assignments"}),
)
KINDS = frozenset({"read", "refresh", "find-or-insert"})
BESIDE_LOOPS = APPLIED | LAZY  # what needs no loop that is written
ONCE = "Load them all before the loop with one query ({how}) and look each one up in a dict."
REFRESHED = (
    "Drop the refresh (keys are set by the flush, `expire_on_commit=False` keeps the rest loaded), or read all rows "
    "back with one query after the loop."
)
EAGER = (
    "Load `{relation}` with the query that fills the loop: `selectinload` or `joinedload` (Django: `select_related` or "
    "`prefetch_related`)."
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each line on which a loop queries per element."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if function.linked.looped or function.mask & BESIDE_LOOPS:
            yield from distinct_lines(_findings(function))
        if function.info.per_element:
            yield from distinct_lines(_serialised(function))


def _serialised(function: FunctionView) -> Iterator[Finding]:
    """Queries of a method that the framework calls for each object of a list: the loop stands in the framework."""
    element = frozenset(function.info.parameters[:1])
    for call in function.calls_reaching("db-read"):
        reads = [each for each in call.reaches("db-read") if not each.looped]
        if call.loops or not reads or not flows_into(call, element):
            continue
        whole = managed_loading(call) is not None or (bool(call.targets) and reads_relation(call, reads[0].path[-1]))
        whole = whole or call.library == SHOWS  # another serialiser's fields
        yield call.finding(
            severity(function),
            f"`{call.written}` queries `{short_entity(reads[0].effect.detail) or 'a row'}` in "
            f"`{function.fact.name}`, which runs for each object that is serialised",
            "Compute it for all objects in the view's queryset: `annotate`, `select_related` or `prefetch_related`.",
            confidence="needs-context" if whole or call.library == LAZY_READ else "likely",
            path=reads[0].path,
            settled_by=LOADED if whole else "",
        )


def _findings(function: FunctionView) -> Iterator[Finding]:
    accesses = list(repeated_accesses(function))
    inserting = {unit.loop for unit in units_of_work(function)}
    inserting.update(each.repetition.loop for each in accesses if each.access.kind == "insert")
    for each in accesses:
        if each.access.kind not in KINDS or (each.access.kind == "refresh" and each.repetition.loop in inserting):
            continue
        loading = managed_loading(each.call, each.access.reach.path[-1])
        if loading != "eager":
            open_ones = open_fields(each.call) or open_relation(each.call, each.access.reach.path)
            yield _query(function, each, LOADED if loading == "unknown" else open_ones)
    yield from (_same(function, each) for each in repeated_questions(function))
    loaded: set[tuple[int, str]] = set()  # what a pass has loaded stays loaded
    yield from _applied(function)
    for load in (*lazy_loads(function), *inner_loads(function)):
        repetition = per_element(load.read) or per_look_up(load.read)
        key = (repetition.loop if repetition is not None else -1, load.read.fact.callee)
        if load.loading != "eager" and (repetition is not None or load.by_response) and key not in loaded:
            loaded.add(key)
            yield _lazy(function, load, repetition)


def _applied(function: FunctionView) -> Iterator[Finding]:
    """What `map`, an executor or a helper of the project runs for each element."""
    for each in applied_accesses(function):
        if each.access.kind in KINDS:
            whole = managed_loading(each.call, each.access.reach.path[-1]) is not None
            entity = each.access.entity or "a row"
            yield each.call.finding(
                severity(function),
                f"`{each.call.written}` runs what queries `{entity}` for each element of `{each.over}`",
                ONCE.format(
                    how=f"`{entity}` rows by `in_(...)`" if each.access.entity else "`WHERE id IN (...)`, or a join"
                ),
                confidence="needs-context" if whole else "likely",
                path=(each.call.step, *each.access.reach.path),
                settled_by=LOADED if whole else "",
            )
    for load in applied_loads(function):
        read = load.inner or load.read
        entity = short_entity(read.link.receiver)
        yield load.read.finding(
            severity(function),
            f"`{load.read.written}` runs what reads `{entity}.{load.relation}` for each element, and the query does not "
            "load it along",
            EAGER.format(relation=f"{entity}.{load.relation}"),
            effort="S",
            confidence="likely",
            path=(*((load.origin.step,) if load.origin is not None else ()), load.read.step, read.step),
        )


def _query(function: FunctionView, each: Repeated, question: str) -> Finding:
    question = each.open_question or question
    call, reach = each.call, each.access.reach
    entity = each.access.entity or "a row"
    what = f"refreshes `{entity}`" if each.access.kind == "refresh" else f"queries `{entity}`"
    place = f"`{call.written}`" if reach.direct else f"`{call.written}` ({len(reach.path) - 1} calls down)"
    how = f"`{entity}` rows by `in_(...)`" if each.access.entity else "`WHERE id IN (...)`, or a join"
    return call.finding(
        severity(function),
        f"{place} {what} once per element of `{each.loop_text}`",
        REFRESHED if each.access.kind == "refresh" else ONCE.format(how=how),
        effort="S" if reach.direct else "M",
        confidence="needs-context" if question else _confidence(each),
        path=reach.path,
        settled_by=question,
        end_line=each.repetition.block.end_line,
    )


def _same(function: FunctionView, each: Repeated) -> Finding:
    entity = each.access.entity or "a row"
    return each.call.finding(
        severity(function),
        f"`{each.call.fact.callee}` asks for `{entity}` anew in every pass of `{each.loop_text}`, with the same arguments",
        "Ask once, before the loop.",
        effort="S",
        confidence="likely",
        path=each.access.reach.path,
        end_line=each.repetition.block.end_line,
    )


def _confidence(each: Repeated) -> Confidence:
    settled = each.access.certain and each.access.reach.effect.certain and each.access.kind != "find-or-insert"
    return "definite" if settled and each.repetition.block.kind != "while" else "likely"


def _lazy(function: FunctionView, load: LazyLoad, repetition: Repetition | None) -> Finding:
    entity = short_entity((load.inner or load.read).link.receiver)
    known = load.loading == "lazy"
    return load.read.finding(
        severity(function),
        f"{_reading(load, repetition)} loads `{entity}.{load.relation}` per element: the query does not load it along",
        EAGER.format(relation=f"{entity}.{load.relation}"),
        effort="S",
        confidence="definite" if known else "needs-context",
        path=(*(_from(load.origin) if load.origin is not None else ()), load.read.step, *_inner(load)),
        settled_by="" if known else f"whether the query that gives `{entity}` loads `{load.relation}` along",
        end_line=repetition.block.end_line if repetition is not None else 0,
    )


def _from(origin: CallView) -> tuple[Step, ...]:
    """Where the query begins, and where it runs."""
    begun = begun_at(origin).step
    return (origin.step,) if begun.line == origin.line else (begun, origin.step)


def _inner(load: LazyLoad) -> tuple[Step, ...]:
    return (load.inner.step,) if load.inner is not None else ()


def _reading(load: LazyLoad, repetition: Repetition | None) -> str:
    text = load.read.fact.callee.partition("> ")[2] or load.read.written
    if repetition is None:
        return f"the response model has a field `{load.relation}`: filling it"
    return f"reading `{text}` in `{loop_text(repetition.block)}`"


def severity(function: FunctionView) -> Severity:
    """HIGH where requests or jobs run it; code that runs once can afford it."""
    return "LOW" if function.role == "startup" else "HIGH"
