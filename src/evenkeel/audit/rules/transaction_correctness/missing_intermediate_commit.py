"""Progress that nobody sees before the end

Several updates of a table whose trigger notifies somebody are made in one transaction, with work between them and no commit.

**Why it costs.** PostgreSQL delivers NOTIFY only when the transaction commits, and not at all when it rolls back
(https://www.postgresql.org/docs/current/sql-notify.html): a progress bar fed by such a trigger stands at zero and jumps
to the end. Until then the row stays locked, and every other writer of it waits.

**Do instead.** Commit after each update that somebody is meant to see, or send progress outside the transaction: publish it to
the stream's own bus (`evenkeel.hotpath.events`) and store only the outcome.

A column that tells progress by its name (`progress`, `percent`, or a counter that is flushed in every pass) and is set in a
loop inside one transaction is reported as MEDIUM though no trigger watches it: whoever polls the row sees the end alone.

**Leave it when** the updates must appear together, or not at all.

```python flags
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
import httpx
from app.models import Job

async def run(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, job_id: int) -> None:
    async with sessions() as session:
        for number in range(100):
            await client.get("https://example.org/part")
            await session.execute(update(Job).where(Job.id == job_id).values(progress=number))  # flagged
        await session.commit()

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    progress: Mapped[int]

# file: alembic/versions/0001_notify.py
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('jobs', NEW.id::text); RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER jobs_tell AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION tell()")
```

```python passes
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
import httpx
from app.models import Job

async def run(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, job_id: int) -> None:
    async with sessions() as session:
        for number in range(100):
            await client.get("https://example.org/part")
            await session.execute(update(Job).where(Job.id == job_id).values(progress=number))
            await session.commit()

# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    progress: Mapped[int]

# file: alembic/versions/0001_notify.py
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('jobs', NEW.id::text); RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER jobs_tell AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION tell()")
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.facts import Block
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.flow import loops_around, may_follow
from evenkeel.audit.model.observed import observed_tables, tables_updated
from evenkeel.audit.model.profile import Trigger
from evenkeel.audit.model.progress import Step, ended_within, is_inside, unseen_progress
from evenkeel.audit.model.regions import ends_transaction, regions
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(
    title="Progress that nobody sees before the end", severity="CRITICAL", needs=frozenset({"db-write", "db-flush"})
)

SEEN = "Commit after each update that somebody is meant to see, or publish progress outside the transaction."
AUTOCOMMIT = ("django.", "tortoise.", "peewee.")  # outside a transaction block each write commits by itself


class Update(NamedTuple):
    """One update of an observed table: the call that sends it, or the call nearest to an attribute that was set."""

    call: CallView
    trigger: Trigger
    position: int
    block: int
    line: int


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """The first repeated update of an observed table in each function, or of a column that tells progress."""
    triggers = observed_tables(context)
    for function in module.functions:
        updates = sorted(_updates(function, triggers), key=lambda each: each.position) if triggers else []
        repeated = min(
            (each for each in updates if _is_repeated(function, each, updates)),
            key=lambda each: not loops_around(function.fact.blocks, each.block, each.position),  # those in loops first
            default=None,
        )
        if repeated is not None:
            yield _finding(repeated, context)
            continue
        unseen = next(
            (each for each in unseen_progress(function) if _works_within(function, each.loop, each.line)), None
        )
        if unseen is not None:
            yield _unseen(unseen)


def _updates(function: FunctionView, triggers: dict[str, Trigger]) -> Iterator[Update]:
    held = [each for each in regions(function) if each.kind == "transaction"]
    for call in function.calls:
        trigger = next((t for t in tables_updated(call) if t in triggers), None)
        alone = call.library.startswith(AUTOCOMMIT) and not any(each.covers(call) for each in held)
        if trigger is not None and not alone and not _commits(call):
            fact = call.fact
            yield Update(call, triggers[trigger], fact.position, fact.block, fact.line)
    for assignment in function.fact.assignments:
        for target in assignment.targets:
            table = _table_of(function, target)
            if table in triggers and assignment.operator in {"=", "+="}:
                nearest = next((c for c in function.calls if c.fact.position > assignment.position), None)
                if nearest is not None:
                    yield Update(nearest, triggers[table], assignment.position, assignment.block, assignment.line)


def _table_of(function: FunctionView, target: str) -> str:
    """The table behind `job.progress = ...`, when `job` is an entity that something loaded."""
    root, dot, attribute = target.partition(".")
    if not dot or "." in attribute:
        return ""
    entity = function.module.entity(function.types.get(root, ""))
    return entity.table.lower() if entity is not None and root not in {"self", "cls"} else ""


def _commits(call: CallView) -> bool:
    return bool(call.reaches("commit"))


def _is_repeated(function: FunctionView, update: Update, updates: list[Update]) -> bool:
    """In a loop without a commit, or followed by another update after work, without a commit in between."""
    loops = loops_around(function.fact.blocks, update.block, update.position)
    if loops:
        return not ended_within(function, loops[0]) and _works_within(function, loops[0], update.line)
    return any(_follows_after_work(function, update, later) for later in updates if later.position > update.position)


def _works_within(function: FunctionView, loop: Block, line: int) -> bool:
    inside = [c for c in function.calls if is_inside(function, c, loop) and c.line != line]
    return any(_is_work(each) for each in inside)


def _is_work(call: CallView) -> bool:
    if call.reaches("network", "file", "sleep", "subprocess", "cpu", "db-read", "db-write", "db-pending", "offload"):
        return True
    return call.fact.awaited and bool(call.targets)


def _follows_after_work(function: FunctionView, first: Update, second: Update) -> bool:
    if not may_follow(function.fact.blocks, first.block, second.block) or first.trigger is not second.trigger:
        return False
    between = [c for c in function.calls if first.position < c.fact.position < second.position]
    own = {first.line, second.line}
    works = any(_is_slow(each) and each.line not in own for each in between)
    return works and not any(_commits(each) or ends_transaction(each) for each in between)


def _is_slow(call: CallView) -> bool:
    return bool(call.reaches("network", "file", "sleep", "subprocess", "cpu", "offload"))


def _finding(update: Update, context: ContextStore) -> Finding:
    trigger = update.trigger
    severity: Severity = "CRITICAL" if trigger.notifies and context.profile.listeners else "HIGH"
    told = f"notifies `{trigger.channel}`" if trigger.channel else f"runs `{trigger.function}`"
    where = f"{trigger.source.file}:{trigger.source.line}"
    return update.call.finding(
        severity,
        f"`{trigger.table}` is updated again and again without a commit in between; its {trigger.event} trigger {told} "
        f"({where}) only at the commit, so all of it arrives at the end",
        SEEN,
        effort="S",
        path=next((r.path for r in update.call.reaches("db-update", "db-write")), ()),
        line=update.line,
    )


def _unseen(step: Step) -> Finding:
    return step.call.finding(
        "MEDIUM",
        f"`{step.table}.{step.column}` is set in every pass of a loop inside one transaction: nobody else sees it before the "
        "commit at the end",
        SEEN,
        effort="S",
        confidence="likely",
        line=step.line,
    )
