"""Imports a folder of postings."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.repositories.jobs import JobRepository
from app.repositories.postings import PostingRepository
from app.services.posting_file import PostingError, parse_posting


class JobProcessor:
    def __init__(self, sessions: async_sessionmaker[AsyncSession], inbox: Path, batch_size: int) -> None:
        self.sessions = sessions
        self.inbox = inbox
        self.batch_size = batch_size

    async def run(self, job_id: int) -> None:
        async with self.sessions() as session:
            try:
                await self._import(session, job_id)
            except (OSError, PostingError) as error:
                await session.rollback()
                await JobRepository(session).fail(job_id, str(error))
            await session.commit()

    async def _import(self, session: AsyncSession, job_id: int) -> None:
        jobs = JobRepository(session)
        job = await jobs.get(job_id)
        if job is None:
            return
        files = await self._files(jobs, job.id)
        postings = []
        for number, path in enumerate(files, start=1):
            postings.append(parse_posting(path.name, path.read_bytes()))
            await jobs.set_progress(job.id, number, len(files))
        await PostingRepository(session).add_all(job.id, postings)
        await jobs.finish(job.id)

    async def _files(self, jobs: JobRepository, job_id: int) -> list[Path]:
        job = await jobs.get(job_id)
        return sorted((self.inbox / job.folder).glob("*.txt")) if job else []
