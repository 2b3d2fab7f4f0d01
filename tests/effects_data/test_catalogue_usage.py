"""Chains of calls as people write them, through the whole of resolution: what each line does, library by library.

A line's expectation stands after `#:`: the kinds of its effects (a network effect with its detail), then `blocks` when the
thread waits inside one of them. Opening, closing, logging and copying are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from evenkeel.audit.effects.build import build_index
from evenkeel.audit.effects.loading import catalogue_files, parse_files
from evenkeel.audit.model.facts import FileFacts
from evenkeel.audit.model.index import LinkedFunction
from evenkeel.audit.model.packing import unpack
from evenkeel.audit.source.cache import FactsCache
from evenkeel.audit.source.extract import extract
from evenkeel.audit.source.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from evenkeel.audit.model.effects import Effect

LEFT_OUT = {"connect", "close", "log", "copy", "db-pending-insert", "db-pending-delete"}

SAMPLES = {
    "sqlalchemy": """
from sqlalchemy import create_engine, select, update, delete, func, text
from sqlalchemy.orm import DeclarativeBase, Session, scoped_session, sessionmaker
class Base(DeclarativeBase): ...
class User(Base): ...
engine = create_engine("sqlite://")
Local = sessionmaker(bind=engine)
Scoped = scoped_session(Local)
def run(user):
    with Local() as s:
        s.query(User).filter(User.id == 1).order_by(User.id).all()  #: db-read db-load-all blocks
        s.query(User).filter_by(id=1).first()  #: db-read blocks
        s.query(User).count()  #: db-read db-count blocks
        s.query(User).filter(User.id == 1).delete()  #: db-write db-update db-delete blocks
        s.get(User, 1)  #: db-read db-key-read blocks
        s.execute(select(User).where(User.id == 1)).scalars().first()  #: db-read blocks
        s.scalars(select(User)).all()  #: db-read db-load-all blocks
        s.scalar(select(func.count()).select_from(User))  #: db-read db-count blocks
        s.execute(update(User).values(name="a"))  #: db-write db-update blocks
        s.execute(text("DELETE FROM users"))  #: db-write db-update db-delete blocks
        s.add(User())  #: db-pending
        s.refresh(user)  #: db-read db-refresh blocks
        s.commit()  #: commit blocks
    with engine.connect() as connection:
        connection.execute(delete(User))  #: db-write db-update db-delete blocks
    Scoped().query(User).one()  #: db-read blocks
    Scoped.query(User).get(1)  #: db-read db-key-read blocks
""",
    "sqlalchemy_async": """
from sqlalchemy import select, delete
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
class Base(DeclarativeBase): ...
class User(Base): ...
engine = create_async_engine("postgresql+asyncpg://")
Local = async_sessionmaker(engine)
async def run():
    async with Local() as s:
        (await s.execute(select(User))).scalars().all()  #: db-read db-load-all
        await s.get(User, 1)  #: db-read db-key-read
        await s.commit()  #: commit
    async with Local.begin() as s:
        await s.execute(delete(User))  #: db-write db-update db-delete
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)  #: db-write offload
async def injected(db: AsyncSession):
    await db.scalar(select(User))  #: db-read
""",
    "sqlmodel": """
from sqlmodel import Session, SQLModel, select
class Hero(SQLModel, table=True):
    id: int
def run(session: Session):
    session.exec(select(Hero).where(Hero.id == 1)).first()  #: db-read blocks
    session.get(Hero, 1)  #: db-read db-key-read blocks
""",
    "flask_sqlalchemy": """
from flask_sqlalchemy import SQLAlchemy
db = SQLAlchemy()
class User(db.Model): ...
def run():
    User.query.filter_by(id=1).first()  #: db-read blocks
    User.query.get_or_404(1)  #: db-read db-key-read blocks
    db.session.add(User())  #: db-pending
    db.session.commit()  #: commit blocks
    db.session.execute(db.select(User)).scalars().all()  #: db-read db-load-all blocks
""",
    "django": """
from django.core.cache import cache
from django.db import connection, models, transaction
class Book(models.Model): ...
def run(book: Book):
    Book.objects.filter(a=1).first()  #: db-read blocks
    Book.objects.exclude(a=1).count()  #: db-read db-count blocks
    Book.objects.create(a=1)  #: db-write db-insert blocks
    Book.objects.bulk_create([])  #: db-write db-insert db-bulk blocks
    list(Book.objects.filter(a=1))  #: db-read blocks
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  #: db-read blocks
    cache.get("key")  #: network:cache cache-read blocks
async def arun():
    await Book.objects.aget(pk=1)  #: db-read
    await Book.objects.filter(a=1).acount()  #: db-read db-count
""",
    "other_orms": """
from peewee import Model as PModel
from tortoise.models import Model as TModel
class Pm(PModel): ...
class Tm(TModel): ...
def run():
    Pm.select().where(Pm.id == 1).get()  #: db-read blocks
    Pm.create(a=1)  #: db-write db-insert blocks
    Pm.update(a=1).where(Pm.id == 1).execute()  #: db-write db-update blocks
async def arun():
    await Tm.get(id=1)  #: db-read
    await Tm.filter(a=1).first()  #: db-read
    await Tm.all().count()  #: db-read db-count
    await Tm.create(a=1)  #: db-write db-insert
""",
    "drivers": """
import aiosqlite, asyncpg, psycopg, psycopg2, pymongo, sqlite3
from motor.motor_asyncio import AsyncIOMotorClient
def run():
    with psycopg2.connect("") as c:
        with c.cursor() as cursor:
            cursor.execute("INSERT INTO users VALUES (1)")  #: db-write db-insert blocks
            cursor.fetchall()  #: db-load-all
    sqlite3.connect("x").cursor().executemany("INSERT INTO users VALUES (?)", [])  #: db-bulk db-write db-insert blocks
    pymongo.MongoClient("x").shop.orders.find_one()  #: db-read blocks
async def arun():
    pool = await asyncpg.create_pool("x")
    async with pool.acquire() as connection:
        await connection.fetch("SELECT * FROM users")  #: db-read db-load-all
        await connection.execute("DELETE FROM users")  #: db-write db-update db-delete
    async with await psycopg.AsyncConnection.connect("x") as c:
        async with c.cursor() as cursor:
            await cursor.execute("SELECT 1")  #: db-read
    async with aiosqlite.connect("x") as db:
        await db.commit()  #: commit
    await AsyncIOMotorClient("x").shop.orders.find_one({"_id": 1})  #: db-read
""",
    "http": """
import aiohttp, httpx, requests
def run():
    requests.get("x").json()  #: network:http blocks
    with requests.Session() as s:
        s.post("x")  #: network:http blocks
    with httpx.Client() as c:
        c.get("x")  #: network:http blocks
async def arun():
    async with httpx.AsyncClient() as c:
        await c.get("x")  #: network:http
    async with aiohttp.ClientSession() as s:
        async with s.get("x") as response:
            await response.json()  #: network:http
""",
    "redis": """
import redis
import redis.asyncio as aredis
def run():
    r = redis.Redis.from_url("x")
    r.get("a")  #: network:redis cache-read blocks
    r.incr("a")  #: network:redis blocks
    with r.pipeline() as p:
        p.set("a", 1)  #:
        p.execute()  #: network:redis blocks
async def arun():
    r = aredis.from_url("x")
    await r.get("a")  #: network:redis cache-read
    await r.pipeline().set("a", 1).get("b").execute()  #: network:redis
""",
    "services": """
import aioboto3, boto3, git, litellm, stripe
from elasticsearch import AsyncElasticsearch
from google.cloud import storage
from openai import AsyncOpenAI, OpenAI
from slack_sdk import WebClient
def run():
    boto3.client("s3").put_object(Bucket="x")  #: network:aws blocks
    boto3.resource("dynamodb").Table("x").get_item(Key={})  #: network:aws blocks
    WebClient(token="x").chat_postMessage(channel="x")  #: network:slack blocks
    stripe.Customer.create(email="x")  #: network:stripe blocks
    OpenAI().chat.completions.create(model="x")  #: network:llm blocks
def on_disk(repository: git.Repo):
    repository.remotes.origin.fetch()  #: subprocess network:git file blocks
async def arun(es: AsyncElasticsearch):
    async with aioboto3.Session().client("s3") as s3:
        await s3.put_object(Bucket="x")  #: network:aws
    await es.indices.create(index="x")  #: network:elasticsearch
    await litellm.acompletion(model="x")  #: network:llm
    await AsyncOpenAI().chat.completions.create(model="x")  #: network:llm
""",
    "computing": """
import bcrypt, hashlib, json
import pandas as pd
from argon2 import PasswordHasher
from passlib.context import CryptContext
from PIL import Image
context = CryptContext(schemes=["bcrypt"])
def run():
    context.hash("x")  #: cpu password-hash blocks
    PasswordHasher().verify("a", "b")  #: cpu password-hash blocks
    bcrypt.hashpw(b"", b"")  #: cpu password-hash blocks
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1)  #: cpu password-hash blocks
    hashlib.sha256(b"").hexdigest()  #:
    json.loads("{}")  #:
    Image.open("x").convert("RGB").save("y")  #: file cpu blocks
    pd.read_csv("x").to_excel("y")  #: file cpu blocks
""",
    "standard_library": """
import asyncio, os, shutil, subprocess, time, zipfile
from pathlib import Path
from anyio import Path as APath
def run():
    (Path("a") / "b").read_text()  #: file blocks
    os.path.exists("x")  #: file blocks
    shutil.rmtree("x")  #: file blocks
    subprocess.run(["x"])  #: subprocess blocks
    time.sleep(1)  #: sleep blocks
    with zipfile.ZipFile("x") as archive:
        archive.extractall()  #: file cpu blocks
async def arun():
    await asyncio.sleep(1)  #: sleep
    await asyncio.to_thread(run)  #: offload
    await asyncio.get_running_loop().run_in_executor(None, run)  #: offload
    asyncio.create_task(arun())  #: spawn
    await asyncio.gather(arun(), arun())  #: gather
    await APath("x").read_text()  #: file
""",
}

_EXPECTED = re.compile(r"#:(.*)$")


def _lines() -> list[tuple[str, int, frozenset[str]]]:
    return [
        (name, number, frozenset(match[1].split()))
        for name, source in SAMPLES.items()
        for number, line in enumerate(source.splitlines(), start=1)
        if (match := _EXPECTED.search(line))
    ]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], set[str]]:
    """(sample, line) -> what the line does, in the notation of the expectations."""
    return _seen(tmp_path_factory.mktemp("usage"))


@pytest.mark.parametrize(("name", "line", "expected"), _lines(), ids=[f"{name}-{line}" for name, line, _ in _lines()])
def test_a_line_does_what_its_library_says(
    name: str, line: int, expected: frozenset[str], seen: dict[tuple[str, int], set[str]]
) -> None:
    assert seen.get((name, line), set()) == expected, SAMPLES[name].splitlines()[line - 1]


def _seen(root: Path) -> dict[tuple[str, int], set[str]]:
    for name, source in SAMPLES.items():
        (root / f"{name}_sample.py").write_text(source, encoding="utf-8")
    with FactsCache.open(enabled=False) as cache:
        files = extract(walk(root).files, cache=cache, jobs=1).files
    index = build_index([(f.path, f.kind, f.facts) for f in files], parse_files(catalogue_files("python")), jobs=1)
    found: dict[tuple[str, int], set[str]] = {}
    for file, linked in zip(files, index.linked, strict=True):
        name = file.path.removesuffix("_sample.py")
        facts = msgspec.msgpack.decode(unpack(file.facts), type=FileFacts)
        decoded = msgspec.msgpack.decode(unpack(linked), type=tuple[LinkedFunction, ...])
        for function, links in zip(facts.functions, decoded, strict=True):
            calls = (*function.calls, *links.implicit)
            for link in links.links:
                if link.implicit not in {"enter", "leave"}:
                    found.setdefault((name, calls[link.call].line), set()).update(_notation(link.effects))
    return found


def _notation(effects: Iterable[Effect]) -> set[str]:
    words = {f"{each.kind}:{each.detail}" if each.kind == "network" else each.kind for each in _told(effects)}
    return words | ({"blocks"} if any(each.blocking for each in _told(effects)) else set())


def _told(effects: Iterable[Effect]) -> list[Effect]:
    return [each for each in effects if each.kind not in LEFT_OUT]
