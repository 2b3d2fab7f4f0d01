import asyncio
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


async def ticks(name: str) -> AsyncIterator[str]:
    while True:
        yield name
        await asyncio.sleep(1)


async def rows(session: AsyncSession) -> AsyncIterator[str]:
    while True:
        yield (await session.execute(text("SELECT state FROM jobs"))).scalar_one()
        await asyncio.sleep(1)


@app.get("/given-back")
async def given_back(session: AsyncSession = Depends(get_session)) -> StreamingResponse:
    """The commit puts the connection back; nothing takes another."""
    name = (await session.execute(text("SELECT name FROM jobs"))).scalar_one()
    await session.commit()
    return StreamingResponse(ticks(name))


@app.get("/kept")
async def kept(session: AsyncSession = Depends(get_session)) -> StreamingResponse:  # flagged
    await session.commit()
    name = (await session.execute(text("SELECT name FROM jobs"))).scalar_one()
    return StreamingResponse(ticks(name))


@app.get("/sometimes")
async def sometimes(done: bool, session: AsyncSession = Depends(get_session)) -> StreamingResponse:  # flagged
    name = (await session.execute(text("SELECT name FROM jobs"))).scalar_one()
    if done:
        await session.commit()
    return StreamingResponse(ticks(name))


@app.get("/used")
async def used(session: AsyncSession = Depends(get_session)) -> StreamingResponse:  # flagged
    await session.commit()
    return StreamingResponse(rows(session))
