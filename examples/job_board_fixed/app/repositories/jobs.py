"""Import jobs."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Job


class JobRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, folder: str) -> Job:
        job = Job(folder=folder, status="queued", processed=0, total=0)
        self.session.add(job)
        await self.session.flush()
        return job

    async def get(self, job_id: int) -> Job | None:
        result = await self.session.execute(select(Job).where(Job.id == job_id))
        return result.scalar_one_or_none()

    async def claim(self, job_id: int) -> bool:
        """Make a queued job a running one; False when it was not queued, or is not there."""
        statement = update(Job).where(Job.id == job_id, Job.status == "queued").values(status="running")
        result = await self.session.execute(statement.returning(Job.id))
        return result.scalar_one_or_none() is not None

    async def set_progress(self, job_id: int, processed: int, total: int) -> None:
        await self.session.execute(update(Job).where(Job.id == job_id).values(processed=processed, total=total))

    async def finish(self, job_id: int) -> None:
        await self.session.execute(update(Job).where(Job.id == job_id).values(status="done", finished_at=func.now()))

    async def fail(self, job_id: int, error: str) -> None:
        values = {"status": "failed", "error": error, "finished_at": func.now()}
        await self.session.execute(update(Job).where(Job.id == job_id).values(values))
