"""A session that a block of the function binds is no session that everyone shares; a manager that nothing resolves opens one
for as long as its block."""

from contextlib import asynccontextmanager

import httpx
from app.sessions import get_session, Item
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

open_session = asynccontextmanager(get_session)


async def load(key: int) -> Item | None:
    async with open_session() as session:
        return (await session.execute(select(Item).where(Item.id == key))).scalar_one_or_none()


async def between(client: httpx.AsyncClient, key: int) -> None:
    item = await load(key)
    if item is None:
        return
    answer = await client.get(item.url)
    async with open_session() as session:
        found = (await session.execute(select(Item).where(Item.id == key))).scalar_one()
        found.title = answer.text
        await session.commit()


async def within(client: httpx.AsyncClient, key: int) -> None:
    async with open_session() as session:
        item = (await session.execute(select(Item).where(Item.id == key))).scalar_one()
        answer = await client.get(item.url)  # flagged
        item.title = answer.text
        await session.commit()


# file: app/sessions.py
from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

make = async_sessionmaker()


class Base(DeclarativeBase): ...


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    title: Mapped[str]


async def get_session() -> AsyncIterator[AsyncSession]:
    async with make() as session:
        yield session
