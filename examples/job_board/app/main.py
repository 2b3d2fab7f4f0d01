"""The application: `uvicorn app.main:app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api import jobs, postings
from app.config import settings
from app.db import engine
from app.events import job_events


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with job_events.listening(settings.database_url):
        yield
    await engine.dispose()


app = FastAPI(title="Job board", lifespan=lifespan)
app.include_router(jobs.router)
app.include_router(postings.router)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
