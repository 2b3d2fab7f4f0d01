"""Import jobs: hand one in, start it, watch it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException
from fastapi.responses import StreamingResponse

from app.config import settings
from app.db import SessionDep, session_factory
from app.events import FINAL, job_events
from app.models import Job
from app.repositories.jobs import JobRepository
from app.schemas import JobIn, JobOut
from app.services.job_processor import JobProcessor

router = APIRouter(prefix="/jobs", tags=["jobs"])
processor = JobProcessor(session_factory, settings.inbox, settings.batch_size)


async def watch(job_id: int) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    async with job_events.watch(job_id) as queue:
        yield queue


@router.post("", status_code=201)
async def create_job(body: JobIn, session: SessionDep) -> JobOut:
    job = await JobRepository(session).add(body.folder)
    await session.commit()
    return JobOut.model_validate(job)


@router.get("/{job_id}")
async def read_job(job_id: int, session: SessionDep) -> JobOut:
    job = await JobRepository(session).get(job_id)
    if job is None:
        raise HTTPException(404, "no such job")
    return JobOut.model_validate(job)


@router.post("/{job_id}/start", status_code=202)
async def start_job(job_id: int, background: BackgroundTasks) -> dict[str, int]:
    async with session_factory.begin() as session:
        claimed = await JobRepository(session).claim(job_id)
    if not claimed:
        raise HTTPException(409, "there is no such job, or it was started already")
    background.add_task(processor.run, job_id)
    return {"id": job_id}


@router.get("/{job_id}/events")
async def stream_job_events(
    job_id: int, queue: Annotated[asyncio.Queue[dict[str, Any]], Depends(watch)]
) -> StreamingResponse:
    async with session_factory() as session:  # given back before the stream begins
        job = await JobRepository(session).get(job_id)
    if job is None:
        raise HTTPException(404, "no such job")
    return StreamingResponse(server_sent_events(job, queue), media_type="text/event-stream")


async def server_sent_events(job: Job, queue: asyncio.Queue[dict[str, Any]]) -> AsyncIterator[str]:
    event: dict[str, Any] = {"id": job.id, "status": job.status, "processed": job.processed, "total": job.total}
    yield f"data: {json.dumps(event)}\n\n"
    while event["status"] not in FINAL:
        event = await queue.get()
        yield f"data: {json.dumps(event)}\n\n"
