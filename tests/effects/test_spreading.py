"""Effects on their way from callee to caller: threads, tasks, dependencies, classes and their overrides."""

from __future__ import annotations

from tests.effects.linked import Tree, link_source

SOURCE = """
import asyncio, time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, contextmanager
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
router = APIRouter()
def slow():
    time.sleep(1)
async def direct():
    slow()
async def offloaded():
    await asyncio.to_thread(slow)
async def spawned():
    asyncio.create_task(direct())
async def through():
    await direct()
def get_db():
    db = Session()
    try:
        yield db
    finally:
        db.close()
class Repo:
    def __init__(self, db: Session = Depends(get_db)) -> None:
        self.db = db
    def save(self) -> None:
        self.db.commit()
@router.post("/")
def handler(repo: Repo = Depends()):
    repo.save()
class Unit:
    def __init__(self, db: Session) -> None:
        self.db = db
    def __enter__(self) -> "Unit":
        return self
    def __exit__(self, *args: object) -> None:
        self.db.commit()
def unit(db: Session) -> None:
    with Unit(db):
        pass
@contextmanager
def scope(db: Session):
    yield db
    db.commit()
def scoped(db: Session) -> None:
    with scope(db) as s:
        s.flush()
class Store(ABC):
    @abstractmethod
    def put(self) -> None: ...
class FileStore(Store):
    def put(self) -> None:
        open("x").read()
def base(store: Store) -> None:
    store.put()
class Service:
    def __init__(self, db: Session) -> None:
        self._db = db
    @property
    def session(self) -> Session:
        return self._db
    def run(self) -> None:
        self.session.rollback()
"""


def _linked() -> Tree:
    return link_source(SOURCE)


def test_blocking_stays_with_the_async_function_that_does_it() -> None:
    tree = _linked()
    blocking = {
        name: {each.effect.blocking for each in tree.function(name).reaches if each.effect.kind == "sleep"}
        for name in ("direct", "through", "offloaded")
    }
    assert blocking == {"direct": {True}, "through": {False}, "offloaded": {False}}


def test_what_a_task_of_its_own_does_is_marked() -> None:
    found = [each for each in _linked().function("spawned").reaches if each.effect.kind == "sleep"]
    assert [each.spawned for each in found] == [True]


def test_what_is_injected_is_known_by_its_type() -> None:
    tree = _linked()
    assert "commit" in tree.reached("handler")
    assert tree.targets("    repo.save()") == {"app.Repo.save"}


def test_context_managers_run_at_both_ends() -> None:
    tree = _linked()
    assert "commit" in tree.reached("unit")
    assert {"commit", "db-flush"} <= tree.reached("scoped")


def test_a_call_through_a_base_class_reaches_its_overrides() -> None:
    assert "file" in _linked().reached("base")


def test_a_session_behind_a_property_is_a_session() -> None:
    assert "rollback" in _linked().reached("Service.run")
