"""What the API takes and gives."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JobIn(BaseModel):
    folder: str = Field(pattern=r"^[a-z0-9-]{1,60}$", description="a folder of the inbox")


class JobOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    folder: str
    status: str
    processed: int
    total: int
    error: str | None


class PostingOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    company: str
    city: str
