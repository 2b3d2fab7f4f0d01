import httpx
from django.db import models, transaction
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Report(Base):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    percent: Mapped[int]
    processed: Mapped[int]


class Import(models.Model):
    processed_rows = models.IntegerField()


async def built(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, key: int, parts: list[str]) -> None:
    async with sessions() as session:
        report = await session.get(Report, key)
        for number, part in enumerate(parts):
            await client.get(part)
            report.percent = number * 100 // len(parts)  # flagged
            await session.flush()
        await session.commit()


async def in_one_block(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, parts: list[str]) -> None:
    async with sessions.begin() as session:
        for number, part in enumerate(parts):
            await session.execute(update(Report).where(Report.id == 1).values(percent=number))  # flagged
            await client.get(part)


async def as_text(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, parts: list[str]) -> None:
    async with sessions() as session:
        for number, part in enumerate(parts):
            await client.get(part)
            await session.execute(text("UPDATE reports SET percent = :n WHERE id = 1"), {"n": number})  # flagged
        await session.commit()


async def seen(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, key: int, parts: list[str]) -> None:
    async with sessions() as session:
        report = await session.get(Report, key)
        for number, part in enumerate(parts):
            await client.get(part)
            report.percent = number * 100 // len(parts)
            await session.commit()


async def counted_for_the_record(
    sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, key: int, parts: list[str]
) -> None:
    """Nothing is sent in between: a number that is kept, not one that is watched."""
    async with sessions() as session:
        report = await session.get(Report, key)
        for part in parts:
            await client.get(part)
            report.processed += 1
        await session.commit()


async def each_its_own(sessions: async_sessionmaker[AsyncSession], client: httpx.AsyncClient, keys: list[int]) -> None:
    async with sessions() as session:
        for key in keys:
            report = await session.get(Report, key)
            await client.get(f"https://example.org/{key}")
            report.percent = 100
        await session.commit()


@transaction.atomic
def imported(key: int, rows: list[dict[str, str]]) -> None:
    job = Import.objects.get(pk=key)
    for number, row in enumerate(rows):
        httpx.post("https://example.org", json=row)
        job.processed_rows = number  # flagged
        job.save(update_fields=["processed_rows"])


def imported_one_by_one(key: int, rows: list[dict[str, str]]) -> None:
    job = Import.objects.get(pk=key)
    for number, row in enumerate(rows):
        httpx.post("https://example.org", json=row)
        job.processed_rows = number
        job.save(update_fields=["processed_rows"])
