"""One UPDATE or DELETE per element of a loop

Rows are changed or removed one by one: an UPDATE or DELETE statement in a loop, `save()` or `delete()` on each
object, a repository method that loads one row, changes it and commits, or a commit in every pass.

**Why it costs.** Each statement pays its round trip, and each commit waits until the log is on disk
(https://www.postgresql.org/docs/current/wal-async-commit.html says so of commits); SQLite's own FAQ puts it at "a few
dozen transactions per second" on a rotating disk against 50,000 statements inside one
(https://www.sqlite.org/faq.html#q19). Row locks taken in the first pass are held until the last when it is one
transaction, and half of the work stays done when a pass fails when it is many.

**Do instead.** One statement for all rows: `update(Model).where(Model.id.in_(ids))`, `QuerySet.update()`,
`bulk_update()`, `executemany`, `UPDATE ... FROM (VALUES ...)`; or change the loaded objects and commit once after the
loop, so that the unit of work sends one batch. Writes that arrive one by one from outside are gathered by
`evenkeel.hotpath.writes`, by size and by time.

**Leave it when** each element needs its own transaction (a job that must not repeat what it has done, a payment),
or the ORM's per-object hooks and cascades are wanted and the number of rows is small. Say so next to the loop.

```python flags
from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]

def reprice(session: Session, prices: dict[int, int]) -> None:
    for item_id, price in prices.items():
        session.execute(update(Item).where(Item.id == item_id).values(price=price))  # flagged
    session.commit()

def mark_all(session: Session, items: list[Item]) -> None:
    for item in items:
        item.price = 0
        session.commit()  # flagged
```

```python flags
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Tags:
    def __init__(self, session: Session) -> None:
        self.session = session

    def rename(self, tag_id: int, name: str) -> None:
        tag = self.session.get(Tag, tag_id)
        tag.name = name
        self.session.commit()

def rename_all(tags: Tags, names: dict[int, str]) -> None:
    for tag_id, name in names.items():
        tags.rename(tag_id, name)  # flagged
```

```python flags
from django.db import models

class Ticket(models.Model):
    state = models.CharField(max_length=10)

def close(ids: list[int]) -> None:
    for ticket in Ticket.objects.filter(id__in=ids):
        ticket.state = "closed"
        ticket.save()  # flagged

def purge() -> None:
    for ticket in Ticket.objects.filter(state="closed"):
        ticket.delete()  # flagged
```

```python passes
from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]

def reprice(session: Session, prices: dict[int, int]) -> None:
    session.execute(update(Item), [{"id": item_id, "price": price} for item_id, price in prices.items()])
    session.commit()

def mark_all(session: Session, items: list[Item]) -> None:
    for item in items:
        item.price = 0
    session.commit()

def mark_batches(session: Session, items: list[Item]) -> None:
    for number, item in enumerate(items):
        item.price = 0
        if number % 1000 == 0:
            session.commit()
    session.commit()
```

```python passes
from django.db import models

class Ticket(models.Model):
    state = models.CharField(max_length=10)

def close(ids: list[int]) -> None:
    Ticket.objects.filter(id__in=ids).update(state="closed")

def purge() -> None:
    Ticket.objects.filter(state="closed").delete()
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evenkeel.audit.model.applied import applied_accesses
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity
from evenkeel.audit.model.observed import is_observed, observed_tables
from evenkeel.audit.model.profile import Trigger
from evenkeel.audit.model.repeats import Repeated, Unit, distinct_lines, loop_text, repeated_accesses, units_of_work
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import LOOPS
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="One UPDATE or DELETE per element of a loop",
    severity="HIGH",
    needs=frozenset({"db-write", "db-update", "db-delete", "db-pending", "commit", "db-flush"}),
    facts=frozenset({"loops", "assignments"}),
)
KINDS = frozenset({"update", "delete", "save"})
VERBS = {"update": "updates", "delete": "deletes", "save": "writes"}
INSTEAD = {
    "update": "Update all rows with one statement (`WHERE id IN (...)`, `bulk_update`, executemany), "
    "or change the objects in the loop and commit once after it.",
    "delete": "Delete all rows with one statement: `DELETE ... WHERE id IN (...)`, `queryset.delete()`.",
    "save": "Write all rows with one statement (bulk update, upsert, executemany), or commit once after the loop.",
}


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each line on which a loop changes or removes rows one by one."""
    observed = observed_tables(context)
    for function in module.functions_reaching(*RULE.needs):
        yield from _applied(function)
        if function.shape & LOOPS:
            yield from distinct_lines(_findings(function, observed))


def _findings(function: FunctionView, observed: Mapping[str, Trigger]) -> Iterator[Finding]:
    written: set[int] = set()
    for each in repeated_accesses(function):
        if each.access.kind in KINDS and not each.makes_new and not is_observed(each.call, observed):
            written.add(each.repetition.loop)
            yield _repeated(function, each)
    loops: set[int] = set()  # several commits in one loop are one fault; so are a write and the block that commits it
    for unit in units_of_work(function):
        around = unit.commit.link.implicit == "leave" and unit.loop in written
        if unit.kind != "insert" and unit.loop not in loops and not around:
            loops.add(unit.loop)
            yield _committed(function, unit)


def _applied(function: FunctionView) -> Iterator[Finding]:
    """What `map`, an executor or a helper of the project runs for each element."""
    for each in applied_accesses(function):
        if each.access.kind in KINDS:
            entity = each.access.entity or "a row"
            yield each.call.finding(
                _severity(function),
                f"`{each.call.written}` runs what {VERBS[each.access.kind]} `{entity}` for each element of `{each.over}`",
                INSTEAD[each.access.kind],
                confidence="likely",
                path=(each.call.step, *each.access.reach.path),
            )


def _repeated(function: FunctionView, each: Repeated) -> Finding:
    call, reach = each.call, each.access.reach
    entity = each.access.entity or "a row"
    place = f"`{call.written}`" if reach.direct else f"`{call.written}` ({len(reach.path) - 1} calls down)"
    return call.finding(
        "LOW" if each.in_process else _severity(function),
        f"{place} {VERBS[each.access.kind]} `{entity}` once per element of `{each.loop_text}`",
        INSTEAD[each.access.kind],
        effort="S" if reach.direct else "M",
        confidence=_confidence(each),
        path=reach.path,
        settled_by=each.open_question,
        end_line=each.repetition.block.end_line,
    )


def _confidence(each: Repeated) -> Confidence:
    if each.open_question:
        return "needs-context"
    sure = each.access.certain and each.access.reach.effect.certain and each.repetition.block.kind != "while"
    return "definite" if sure else "likely"


def _committed(function: FunctionView, unit: Unit) -> Finding:
    block = function.fact.blocks[unit.loop]
    steps = (unit.change.step,) if unit.change is not None else ()
    return unit.commit.finding(
        _severity(function),
        f"`{unit.commit.written}` writes one change in every pass of `{loop_text(block)}`",
        INSTEAD["delete" if unit.kind == "delete" else "update"],
        effort="S",
        confidence="needs-context" if unit.open_question else "definite" if block.kind != "while" else "likely",
        path=(*steps, unit.commit.step),
        settled_by=unit.open_question,
        line=unit.line,
        end_line=block.end_line,
    )


def _severity(function: FunctionView) -> Severity:
    return "LOW" if function.role == "startup" else "HIGH"
