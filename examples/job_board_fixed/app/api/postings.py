"""The board itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.db import SessionDep
from app.repositories.postings import PostingRepository
from app.schemas import PostingOut

router = APIRouter(prefix="/postings", tags=["postings"])


@router.get("")
async def list_postings(
    session: SessionDep, city: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[PostingOut]:
    rows = await PostingRepository(session).newest(city, limit)
    return [PostingOut.model_validate(row) for row in rows]
