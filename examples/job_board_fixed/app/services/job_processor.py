"""Imports a folder of postings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.models import Job
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
            job = await JobRepository(session).get(job_id)
        if job is None:
            return
        try:
            await self._import(job)
        except (OSError, PostingError) as error:
            async with self.sessions.begin() as session:
                await JobRepository(session).fail(job.id, str(error))

    async def _import(self, job: Job) -> None:
        files = await asyncio.to_thread(list_files, self.inbox / job.folder)
        for start in range(0, len(files), self.batch_size):
            batch = files[start : start + self.batch_size]
            postings = await asyncio.to_thread(read_postings, batch)  # no transaction is open here
            await self._publish(job, postings, start + len(batch), len(files))
        async with self.sessions.begin() as session:
            await JobRepository(session).finish(job.id)

    async def _publish(self, job: Job, postings: list[dict[str, str]], processed: int, total: int) -> None:
        """A batch and its progress in one transaction: the commit makes both visible and sends the notification."""
        async with self.sessions.begin() as session:
            await PostingRepository(session).add_all(job.id, postings)
            await JobRepository(session).set_progress(job.id, processed, total)


def list_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.txt"))


def read_postings(files: Sequence[Path]) -> list[dict[str, str]]:
    return [parse_posting(path.name, path.read_bytes()) for path in files]
