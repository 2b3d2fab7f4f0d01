"""A commit without a rollback on error

A session or connection that nobody else closes is committed, and no `except` rolls back and no context manager does it
when a statement before the commit fails.

**Why it costs.** After a failed statement PostgreSQL refuses everything on that connection until a rollback, and a SQLAlchemy
session answers each later use with PendingRollbackError: one bad request spoils the next ones that get the
same session (https://docs.sqlalchemy.org/en/20/faq/sessions.html). The open transaction also keeps its locks.

**Do instead.** `with session.begin():`, `with Session() as session:`, or `except: session.rollback(); raise`.

**Leave it when** the session comes from a dependency or context manager that closes it: closing rolls back, and such
sessions are not reported.

```python flags
import psycopg2
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

engine = create_engine("postgresql://localhost/app")
shared = Session(engine)

class Store:
    def __init__(self) -> None:
        self.connection = psycopg2.connect("dbname=app")

    def add(self, name: str) -> None:
        cursor = self.connection.cursor()
        cursor.execute("INSERT INTO users (name) VALUES (%s)", (name,))
        self.connection.commit()  # flagged

def rename(user_id: int, name: str) -> None:
    shared.execute(text("UPDATE users SET name = :name WHERE id = :id"), {"name": name, "id": user_id})
    shared.commit()  # flagged
```

```python passes
import psycopg2
from fastapi import Depends
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

engine = create_engine("postgresql://localhost/app")

def get_session():
    with Session(engine) as session:
        yield session

def rename(name: str, session: Session = Depends(get_session)) -> None:
    session.execute(text("UPDATE users SET name = :name"), {"name": name})
    session.commit()

class Store:
    def __init__(self) -> None:
        self.connection = psycopg2.connect("dbname=app")

    def add(self, name: str) -> None:
        try:
            self.connection.cursor().execute("INSERT INTO users (name) VALUES (%s)", (name,))
            self.connection.commit()
        except psycopg2.Error:
            self.connection.rollback()
            raise

    def replace(self, name: str) -> None:
        with self.connection:
            self.connection.cursor().execute("INSERT INTO users (name) VALUES (%s)", (name,))

class Users:
    def __init__(self, session: Session) -> None:
        self.session = session

    def rename(self, name: str) -> None:
        self.session.execute(text("UPDATE users SET name = :name"), {"name": name})
        self.session.commit()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.finding import Finding
from evenkeel.audit.model.index import Link
from evenkeel.audit.model.lifetimes import lifetime
from evenkeel.audit.model.masks import ACQUIRES
from evenkeel.audit.model.once import ends_with_process
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView

RULE = Rule(title="A commit without a rollback on error", severity="MEDIUM", needs=frozenset({"commit"}))

RESOURCES = frozenset({"session", "connection"})


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """The first unprotected commit of each long-lived session in a function."""
    del context
    kept = _kept_sessions(module)
    for function in module.functions_reaching("commit"):
        if ends_with_process(function.info):
            continue  # what is not committed by then is rolled back with the connection
        if not kept and not any(map(_acquires, function.links_marked(ACQUIRES))):
            continue
        reported: set[str] = set()
        for call in function.calls_with("commit"):
            if call.holder not in reported and _is_fault(function, call, kept):
                reported.add(call.holder)
                yield _finding(call)


def _is_fault(function: FunctionView, commit: CallView, kept: set[tuple[str, str]]) -> bool:
    return not commit.link.implicit and _outlives(function, commit, kept) and not _is_protected(function, commit)


def _kept_sessions(module: ModuleView) -> set[tuple[str, str]]:
    """(class or "", chain) of sessions that the module's code acquires and keeps: globals and attributes of `self`."""
    found = set()
    for function in module.functions_marked(ACQUIRES):
        if not any(map(_acquires, function.links_marked(ACQUIRES))):
            continue
        owner = function.fact.qualname.rpartition(".")[0]
        for assignment in function.fact.assignments:
            call = function.call(assignment.value.call)
            if assignment.value.kind == "call" and call is not None and _acquires(call.link):
                for target in assignment.targets:
                    if target.startswith("self."):
                        found.add((owner, target))
                    elif function.fact.qualname == "<module>" or target in function.fact.globals:
                        found.add(("", target))
    return found


def _acquires(link: Link) -> bool:
    return any(each.kind == "connect" and each.detail in RESOURCES for each in link.effects)


def _outlives(function: FunctionView, commit: CallView, kept: set[tuple[str, str]]) -> bool:
    """The session is kept by this class or module, or acquired here and not closed on the error path."""
    holder = commit.holder
    owner = function.fact.qualname.rpartition(".")[0]
    if (owner, holder) in kept:
        return True
    if ("", holder) in kept and holder not in {each.name for each in function.fact.parameters}:
        return function.fact.qualname != "<module>"
    acquired = [c for c in function.calls_marked(ACQUIRES) if _acquires(c.link) and lifetime(c).name == holder]
    return bool(acquired) and all(lifetime(each).ending in {"never", "on success only"} for each in acquired)


def _is_protected(function: FunctionView, commit: CallView) -> bool:
    """A rollback in the function, or a `with` over the session around the commit."""
    if function.does("rollback"):
        return True
    around = function.blocks_around(commit.fact.block, "with")
    return any(
        b.subject is not None and commit.holder in (*b.subject.names, *b.targets, b.subject.text) for b in around
    )


def _finding(commit: CallView) -> Finding:
    return commit.finding(
        "MEDIUM",
        f"`{commit.written}` commits a session that outlives the call, and nothing rolls back when a statement fails",
        "Use `with` over the session or transaction, or roll back in `except` and raise again.",
        effort="S",
        confidence="likely",
    )
