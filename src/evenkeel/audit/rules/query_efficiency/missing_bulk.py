"""One INSERT per element of a loop

New rows are written one by one: an INSERT statement, `create()`, `save()` of a new object, or `session.add` with a
flush or commit in every pass, directly or in a function that the loop calls.

**Why it costs.** A round trip and, where each pass commits, a wait for the disk per row. PostgreSQL's manual gives
the two first rules for loading data: one transaction instead of one commit per row, and COPY or multi-row
statements (https://www.postgresql.org/docs/current/populate.html). SQLAlchemy batches the INSERTs of one flush by
itself (https://docs.sqlalchemy.org/en/20/orm/queryguide/dml.html#orm-bulk-insert-statements), Django needs
`bulk_create` (https://docs.djangoproject.com/en/stable/ref/models/querysets/#bulk-create).

**Do instead.** Gather the rows, write once: `session.add_all(rows)` and one commit, `session.execute(insert(Model),
rows)`, `Model.objects.bulk_create(rows)`, `executemany`, `copy_records_to_table`. Rows that arrive one by one from
outside are gathered by `evenkeel.hotpath.writes`.

**Leave it when** each row's key is needed to make the next one, or each insert must succeed or fail on its own.
`session.add` in a loop with one commit after it is already a batch and is not reported.

```python flags
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

class Entries:
    def __init__(self, session: Session) -> None:
        self.session = session

    def create(self, text: str) -> Entry:
        entry = Entry(text=text)
        self.session.add(entry)
        self.session.commit()
        self.session.refresh(entry)
        return entry

def keep(entries: Entries, texts: list[str]) -> None:
    for text in texts:
        entries.create(text)  # flagged

def keep_here(session: Session, texts: list[str]) -> None:
    for text in texts:
        session.add(Entry(text=text))  # flagged
        session.flush()
```

```python flags
from django.db import models

class Mail(models.Model):
    to = models.CharField(max_length=80)

def queue(addresses: list[str]) -> None:
    for address in addresses:
        Mail.objects.create(to=address)  # flagged

def queue_objects(addresses: list[str]) -> None:
    for address in addresses:
        mail = Mail(to=address)
        mail.save()  # flagged
```

```python flags
import asyncpg

async def record(connection: asyncpg.Connection, values: list[int]) -> None:
    for value in values:
        await connection.execute("INSERT INTO samples (value) VALUES ($1)", value)  # flagged
```

```python passes
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase): ...

class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

def keep(session: Session, texts: list[str]) -> None:
    for text in texts:
        session.add(Entry(text=text))
    session.commit()
```

```python passes
import asyncpg

async def record(connection: asyncpg.Connection, values: list[int]) -> None:
    await connection.executemany("INSERT INTO samples (value) VALUES ($1)", [(value,) for value in values])
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Confidence, Finding, Severity
from evenkeel.audit.model.repeats import Repeated, Unit, distinct_lines, loop_text, repeated_accesses, units_of_work
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.shapes import LOOPS
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(
    title="One INSERT per element of a loop",
    severity="MEDIUM",
    needs=frozenset({"db-insert", "db-write", "db-pending", "db-pending-insert"}),
    facts=frozenset({"loops", "assignments"}),
)
DEEPEST = 3  # steps of the witness path: the call, a service, a repository
GATHER = "Make all `{entity}` rows first and write them once: `add_all` and one commit, a bulk insert, executemany."


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each line on which a loop inserts row by row."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        if function.shape & LOOPS:
            yield from distinct_lines(_findings(function))


def _findings(function: FunctionView) -> Iterator[Finding]:
    for each in repeated_accesses(function):
        if each.access.kind == "insert" or (each.access.kind == "save" and each.makes_new):
            yield _repeated(function, each)
    loops: set[int] = set()  # several commits in one loop are one fault
    for unit in units_of_work(function):
        if unit.kind == "insert" and unit.loop not in loops:
            loops.add(unit.loop)
            yield _flushed(function, unit)


def _repeated(function: FunctionView, each: Repeated) -> Finding:
    call, reach = each.call, each.access.reach
    entity = each.access.entity or "new"
    place = f"`{call.written}`" if reach.direct else f"`{call.written}` ({len(reach.path) - 1} calls down)"
    return call.finding(
        "LOW" if each.in_process else _severity(function),
        f"{place} inserts one `{entity}` row per element of `{each.loop_text}`",
        GATHER.format(entity=entity),
        effort="S" if reach.direct else "M",
        confidence=_confidence(each),
        path=reach.path,
        settled_by=_question(each),
        end_line=each.repetition.block.end_line,
    )


def _question(each: Repeated) -> str:
    """A row that a deep callee leaves behind (an audit event) is rarely what the loop is about."""
    if not each.open_question and len(each.access.reach.path) > DEEPEST:
        return f"whether `{each.call.name}` is one unit of work for each element: the row is written deep inside it"
    return each.open_question


def _confidence(each: Repeated) -> Confidence:
    if _question(each):
        return "needs-context"
    sure = each.access.reach.effect.certain and each.access.kind == "insert" and each.repetition.block.kind != "while"
    return "definite" if sure else "likely"


def _flushed(function: FunctionView, unit: Unit) -> Finding:
    block = function.fact.blocks[unit.loop]
    change, written_by = unit.change or unit.commit, unit.commit.written
    return change.finding(
        _severity(function),
        f"`{change.written}` adds a row that `{written_by}` writes in every pass of `{loop_text(block)}`",
        GATHER.format(entity="new"),
        effort="S",
        confidence="needs-context" if unit.open_question else "definite" if block.kind != "while" else "likely",
        path=(change.step, unit.commit.step),
        settled_by=unit.open_question,
        end_line=block.end_line,
    )


def _severity(function: FunctionView) -> Severity:
    return "LOW" if function.role == "startup" else "MEDIUM"
