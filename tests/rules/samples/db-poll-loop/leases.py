import asyncio
from datetime import datetime

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))


class Base(DeclarativeBase): ...


class Lease(Base):
    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


async def acquire(name: str) -> None:
    """What is written when the lease is free is no work that the loop goes through."""
    while True:
        async with sessions() as session:
            lease = await session.get(Lease, name)  # flagged
            if lease is None:
                session.add(Lease(name=name, until=datetime.now()))
                await session.commit()
                return
        await asyncio.sleep(0.2)


async def drain(session: AsyncSession) -> None:
    while True:
        lease = await session.scalar(select(Lease).where(Lease.until < datetime.now()))
        if lease is None:
            break
        await session.delete(lease)
        await session.commit()
        await asyncio.sleep(0.01)


@app.post("/leases/{name}")
async def take(name: str) -> None:
    await acquire(name)
    async with sessions() as session:
        await drain(session)
