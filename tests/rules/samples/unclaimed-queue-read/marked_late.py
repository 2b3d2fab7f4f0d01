import asyncio

import httpx
from django.db import models
from celery import shared_task
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.models import Job, Outbox

sessions = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/app"))


async def work() -> None:
    while True:
        async with sessions() as session:
            jobs = (await session.scalars(select(Job).where(Job.status == "pending").limit(10))).all()  # flagged
            for job in jobs:
                job.status = "running"
                await session.commit()
                await run(job)
        await asyncio.sleep(1)


async def claimed_again() -> None:
    """The mark asks for the state once more: only one worker gets the row."""
    while True:
        async with sessions() as session:
            job = await session.scalar(select(Job).where(Job.status == "pending").limit(1))
            marked = update(Job).where(Job.id == job.id, Job.status == "pending").values(status="running")
            result = await session.execute(marked)
            await session.commit()
            if result.rowcount:
                await run(job)
        await asyncio.sleep(1)


async def run(job: Job) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://work.example.org", content=job.payload)


@shared_task
def drain() -> None:
    for message in Outbox.objects.filter(status="pending")[:100]:  # flagged
        httpx.post("https://hook.example.org", json=message.payload)
        message.status = "sent"
        message.save()


# file: app/models.py
from django.db import models
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    payload: Mapped[str]


class Outbox(models.Model):
    status = models.CharField(max_length=20)
    payload = models.JSONField()
