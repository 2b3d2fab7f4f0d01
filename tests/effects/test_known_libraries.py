"""What lines of small programs do, as people write them: one source a subject, each marked line with its effects."""

from __future__ import annotations

import pytest

from tests.effects.linked import misread

SOURCES = {
    "raw SQL by its verb, whatever the quotes and the prefix": '''
import asyncpg
UPSERT = f"update {{}} set a = 1"
async def run(c: asyncpg.Connection, table: str):
    await c.execute("UPDATE users SET a = 1")  #: db-write db-update of=users
    await c.execute(f"UPDATE users SET a = {table}")  #: db-write db-update of=users
    await c.execute("""UPDATE users SET a = 1""")  #: db-write db-update of=users
    await c.execute(r"UPDATE users SET a = 1")  #: db-write db-update of=users
    await c.execute("UPDATE {} SET a = 1".format(table))  #: db-write db-update of={}
    await c.execute(f"UPDATE {table} SET a = 1".format(table))  #: db-write db-update of={}
    await c.execute("REPLACE INTO users VALUES (1)")  #: db-write db-insert of=users
    await c.execute("BEGIN")  #: begin
    await c.execute("FETCH 3 FROM x")  #:
    await c.execute("UPDATE users " + "SET a = 1")  #: db-write db-update of=users
    await c.execute("UPDATE users SET a = %s" % table)  #: db-write db-update of=users
''',
    "sessions of the class that the factory is told": """
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
Local = sessionmaker(create_async_engine("x"), class_=AsyncSession, expire_on_commit=False)
async def run():
    async with Local() as s:
        await s.commit()  #: commit
    made = Local()
    await made.commit()  #: commit
""",
    "statements are not entities": """
from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session, DeclarativeBase
class Base(DeclarativeBase): ...
class User(Base): ...
def run(s: Session, statement: Select, users: list[User]):
    s.execute(statement)  #: db-read blocks of=
    s.execute(text("SELECT 1"))  #: db-read blocks of=
    s.scalars(statement).all()  #: db-read db-load-all blocks of=
    s.add_all(users)  #: db-pending db-bulk of=User
    s.add_all([User(), User()])  #: db-pending db-bulk of=User
    s.add_all(User() for _ in range(3))  #: db-pending db-bulk of=User
    s.add_all([User(x) for x in users])  #: db-pending db-bulk of=User
""",
    "an async loop over a queryset does not block": """
from django.db import models
class Book(models.Model): ...
async def run():
    async for book in Book.objects.filter(a=1):  #: db-read of=Book
        print(book)
    return [book async for book in Book.objects.all()]  #: db-read of=Book
def sync():
    for book in Book.objects.filter(a=1):  #: db-read blocks of=Book
        print(book)
""",
    "queries that run when they are awaited": """
from tortoise.models import Model
class Book(Model): ...
async def run():
    books = await Book.filter(a=1)  #: db-read db-load-all of=Book
    for book in books:
        await book.save()  #: db-write db-update of=Book
    await Book.all().order_by("a")  #: db-read db-load-all of=Book
    query = Book.filter(a=1)  #:
    await query.filter(b=1)  #: db-read db-load-all of=Book
    found = await query  #: db-read db-load-all of=Book
    await Book.get(id=1)  #: db-read of=Book
""",
    "queries that functions of the project hand out": """
from tortoise.models import Model
class Book(Model): ...
def wanted():
    return Book.filter(a=1)
async def later():
    return Book.filter(a=1)
async def run():
    for book in await wanted():  #: db-read db-load-all of=Book
        await book.delete()  #: db-write db-update db-delete of=Book
    query = await later()  #:
    rows = await query  #: db-read db-load-all of=Book
""",
    "constants with SQL, wherever they stand": """
import asyncpg
import queries
from queries import FIND
LOCAL = "DELETE FROM orders"
class Store:
    SAVE = "INSERT INTO orders VALUES ($1)"
    def __init__(self, c: asyncpg.Connection) -> None:
        self.c = c
    async def run(self, late: bool):
        await self.c.execute(FIND)  #: db-read of=orders
        await self.c.execute(queries.CHANGE)  #: db-write db-update of=orders
        await self.c.execute(LOCAL)  #: db-write db-update db-delete of=orders
        await self.c.execute(self.SAVE)  #: db-write db-insert of=orders
        await self.c.execute(Store.SAVE)  #: db-write db-insert of=orders
        await self.c.execute("UPDATE a SET b = 1" if late else "UPDATE a SET b = 2")  #: db-write db-update of=a
""",
    "models whose base comes from a package that nobody knows": """
from django_lifecycle import LifecycleModel
from advanced_alchemy.base import UUIDAuditBase
from django.contrib.auth.models import User
from django.db import models
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
class Base(LifecycleModel):
    made = models.DateTimeField()
class Book(Base):
    owner = models.ForeignKey(User, on_delete=models.CASCADE)
class Order(UUIDAuditBase):
    name: Mapped[str] = mapped_column()
def run(book: Book):
    Book.objects.filter(a=1).delete()  #: db-write db-update db-delete blocks of=Book
    q = User.objects.order_by("id")
    q = q.filter(a=1)
    q.update(a=1)  #: db-write db-update blocks of=User
    book.owner.delete()  #: db-write db-update db-delete blocks of=User
async def order(s: AsyncSession):
    await s.scalar(select(Order))  #: db-read of=Order
""",
    "services over repositories": """
from advanced_alchemy.base import UUIDAuditBase
from advanced_alchemy.extensions.litestar import repository, service
from sqlalchemy.orm import Mapped, mapped_column
class Order(UUIDAuditBase):
    name: Mapped[str] = mapped_column()
class Orders(service.SQLAlchemyAsyncRepositoryService[Order]):
    class Repo(repository.SQLAlchemyAsyncRepository[Order]):
        model_type = Order
    repository_type = Repo
    async def latest(self):
        return await self.get_one_or_none(a=1)  #: db-read of=Order
async def run(orders: Orders):
    await orders.create({"name": "x"})  #: db-write db-insert of=Order
    found, total = await orders.list_and_count()  #: db-read db-load-all db-count of=Order
    for order in found:
        await orders.delete(order.id)  #: db-read db-write db-update db-delete of=Order
""",
    "tasks are sent through their decorator": """
import dramatiq, taskiq
from celery import Celery, shared_task
from taskiq import InMemoryBroker
app = Celery()
broker = InMemoryBroker()
@app.task(bind=True)
def work(self, x):
    self.retry()  #: enqueue network:broker blocks
@shared_task
def other(x): ...
@dramatiq.actor
def act(x): ...
@broker.task
async def asynchronous(x): ...
async def run():
    work.delay(1)  #: enqueue network:broker blocks
    other.apply_async(args=[1])  #: enqueue network:broker blocks
    other.s(1).delay()  #: enqueue network:broker blocks
    act.send(1)  #: enqueue network:broker blocks
    await asynchronous.kiq(1)  #: enqueue network:broker
    await asynchronous.kicker().kiq(1)  #: enqueue network:broker
    other(1)  #:
""",
    "databases and collections by subscript": """
import pymongo
from motor.motor_asyncio import AsyncIOMotorClient
client = AsyncIOMotorClient("x")
db = client["shop"]
async def run():
    await client["db"]["coll"].insert_one({})  #: db-write db-insert
    await db["orders"].find_one({})  #: db-read
    await db.orders.find_one({})  #: db-read
    await client.shop["orders"].find_one({})  #: db-read
def sync(name: str):
    pymongo.MongoClient("x")["db"][name].find_one({})  #: db-read blocks
""",
}


OTHERS = {"queries": 'FIND = "SELECT * FROM orders"\nCHANGE = "UPDATE orders SET a = 1"\n'}


@pytest.mark.parametrize("subject", SOURCES)
def test_each_line_does_what_its_mark_says(subject: str) -> None:
    assert misread(SOURCES[subject], **OTHERS) == []
