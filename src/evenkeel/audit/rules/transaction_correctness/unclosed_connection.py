"""A session or connection that is not closed on every path

A function acquires a session, a connection, a client of its own (Redis, MongoDB, HTTP) or a streamed result, and there is
a way out of it on which nothing gives it back: no `with`, no close in a `finally`.

**Why it costs.** What is not given back is gone from the pool until the garbage collector happens to pass. With a pool
of 5 and an overflow of 10 (SQLAlchemy's defaults) the sixteenth leak stops the service: every request then waits
`pool_timeout`, 30 seconds, and fails (https://docs.sqlalchemy.org/en/20/core/pooling.html). An open transaction on it
also holds its locks and keeps vacuum from removing dead rows.

**Do instead.** `with Session() as session:`, `async with pool.acquire() as connection:`, `contextlib.closing(...)` where
the object is no context manager, or `try` / `finally`. A helper that hands out sessions should be a context manager.

**Leave it when** the process ends right after (a script of a few lines), or the object is meant to live as long as it.
What a `scoped_session` gives when it is called is not reported: it is removed where the request or the thread ends.

```python flags
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

engine = create_engine("postgresql://localhost/app")
SessionLocal = sessionmaker(engine)

def create_session() -> Session:
    return SessionLocal()

def purge(job_id: int) -> None:
    session = create_session()  # flagged
    session.execute("DELETE FROM jobs WHERE id = 1")
    session.commit()

def count() -> int:
    session = SessionLocal()  # flagged
    total = session.execute("SELECT count(*) FROM jobs").scalar()
    session.close()
    return total
```

```python flags
import asyncpg

async def total(pool: asyncpg.Pool) -> int:
    connection = await pool.acquire()  # flagged
    value = await connection.fetchval("SELECT count(*) FROM jobs")
    await pool.release(connection)
    return value
```

```python passes
import asyncpg
from contextlib import closing
import psycopg2
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

SessionLocal = sessionmaker(create_engine("postgresql://localhost/app"))

def create_session() -> Session:
    return SessionLocal()

def purge() -> None:
    with create_session() as session:
        session.execute("DELETE FROM jobs WHERE id = 1")

def count() -> int:
    session = SessionLocal()
    try:
        return session.execute("SELECT count(*) FROM jobs").scalar()
    finally:
        session.close()

def legacy() -> None:
    with closing(psycopg2.connect("dbname=app")) as connection:
        connection.cursor().execute("DELETE FROM jobs")

async def total(pool: asyncpg.Pool) -> int:
    async with pool.acquire() as connection:
        return await connection.fetchval("SELECT count(*) FROM jobs")

class Store:
    def __init__(self) -> None:
        self.session = SessionLocal()
```
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from evenkeel.audit.model.clients import opens_client
from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.facts import Value
from evenkeel.audit.model.finding import Finding, Severity
from evenkeel.audit.model.index import Link
from evenkeel.audit.model.lifetimes import Lifetime, lifetime
from evenkeel.audit.model.masks import ACQUIRES, CLIENT, OPENS_CLIENT, mask_of_function
from evenkeel.audit.model.once import ends_with_process
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(
    title="A session or connection that is not closed on every path", severity="HIGH", needs=frozenset({"connect"})
)

RESOURCES = frozenset({"session", "connection", "transaction", "result"})
ROLES = frozenset({"session", "connection"})


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each acquisition that some path never gives back."""
    del context
    for function in module.functions_marked(ACQUIRES | OPENS_CLIENT):
        if function.number == 0:
            continue  # what a module keeps lives as long as the process
        if ends_with_process(function.info):
            continue
        for call in function.calls_fitting(ACQUIRES | OPENS_CLIENT, partial(_may_acquire, function)):
            if _acquires(call) or _opens_client(call):
                found = lifetime(call)
                if found.ending in {"never", "on success only"} and not _is_plain_iteration(function, call):
                    yield _finding(function, call, found)


def _may_acquire(function: FunctionView, link: Link) -> bool:
    """What of either question the link alone answers: it acquires something, or a callee may that hands it out."""
    if link.implicit or not (link.effects or link.targets):
        return False
    if any(each.kind == "connect" for each in link.effects):
        return True
    index = function.module.index
    if any(mask_of_function(each, index) & OPENS_CLIENT for each in link.targets):
        return True
    return bool(link.targets) and function.role_of(link.result) in ROLES


def _acquires(call: CallView) -> bool:
    if call.link.implicit or _rides_on_another(call):
        return False
    if any(each.kind == "connect" and each.detail in RESOURCES for each in call.effects):
        return True
    hands_out = call.function.role_of(call.link.result) in ROLES
    return (hands_out and not _keeps_itself(call)) and any(
        reached.effect.kind == "connect" and reached.next < 0 and reached.effect.detail in RESOURCES
        for target in call.targets
        for reached in target.reaches
        if not target.holds_session and target.is_property is False
    )


def _keeps_itself(call: CallView) -> bool:
    """Whether a callee gives what it keeps under a name of its module: `global connection`, `return connection`."""
    views = (call.function.module.function(each) for each in call.targets)
    return any(e.value.text in v.fact.globals for v in views if v is not None for e in v.fact.exits)


def _opens_client(call: CallView) -> bool:
    """A client of its own for one request or job; not what a command opens once."""
    function = call.function
    asked = function.role != "startup" and not call.link.implicit and not function.linked.cached
    return asked and opens_client(call)


def _rides_on_another(call: CallView) -> bool:
    """`Session(bind=connection)`: whoever owns the connection closes it."""
    given = (each.value for each in call.fact.arguments)
    types = (_type_of(call, each) for each in given)
    return any(call.function.role_of(each) in {"connection", "session"} for each in types)


def _type_of(call: CallView, value: Value) -> str:
    if value.kind == "call":
        inner = call.function.call(value.call)
        return inner.link.result if inner is not None else ""
    return call.function.types.get(value.text, "")


def _is_plain_iteration(function: FunctionView, call: CallView) -> bool:
    """A streamed result that its own function reads to the end (only a generator can be left early), or that is closed
    with the session around it."""
    streamed = any(each.detail == "result" for each in call.effects)
    around = function.blocks_around(call.fact.block, "with")
    return streamed and (not function.fact.is_generator or any(call.holder in each.targets for each in around))


def _finding(function: FunctionView, call: CallView, found: Lifetime) -> Finding:
    what = _acquired(call)
    name = f"`{found.name}`" if found.name else "what it gives"
    if found.ending == "never":
        issue = f"`{call.written}` acquires a {what} and nothing in `{function.fact.name}` closes {name}"
    else:
        issue = f"{name} is closed in line {found.close_line} only if nothing before it raises"
    return call.finding(
        _severity(function, found, what),
        issue,
        "Acquire it with a `with` block, or close it in a `finally`.",
        effort="S",
        confidence="definite" if found.ending == "never" else "likely",
    )


def _acquired(call: CallView) -> str:
    own = next((each.detail for each in call.effects if each.kind == "connect"), "")
    return own or ("session" if _acquires(call) else CLIENT)


def _severity(function: FunctionView, found: Lifetime, what: str) -> Severity:
    if what == CLIENT:  # it has a pool of its own: a leak, but nobody else waits for its connection
        return "HIGH" if function.role == "handler" and found.ending == "never" else "MEDIUM"
    if function.role == "handler" and found.ending == "on success only":
        return "CRITICAL"
    return "MEDIUM" if function.role == "startup" else "HIGH"
