"""Postings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Posting


class PostingRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add_all(self, job_id: int, postings: Sequence[dict[str, str]]) -> None:
        if postings:
            await self.session.execute(insert(Posting), [{"job_id": job_id, **posting} for posting in postings])

    async def newest(self, city: str | None, limit: int) -> Sequence[Any]:
        statement = select(Posting.id, Posting.title, Posting.company, Posting.city)
        if city is not None:
            statement = statement.where(Posting.city == city)
        result = await self.session.execute(statement.order_by(Posting.id.desc()).limit(limit))
        return result.all()
