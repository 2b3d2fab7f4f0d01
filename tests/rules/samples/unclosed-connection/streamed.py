from collections.abc import AsyncIterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))


async def lines() -> AsyncIterator[str]:
    """The session is closed when the generator is left, and its results with it."""
    async with sessions() as session:
        rows = await session.stream_scalars(text("SELECT body FROM lines"))
        async for row in rows:
            yield row


async def lines_of(session: AsyncSession) -> AsyncIterator[str]:
    rows = await session.stream_scalars(text("SELECT body FROM lines"))  # flagged
    async for row in rows:
        yield row
