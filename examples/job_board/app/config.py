"""Settings, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    database_url: str
    inbox: Path
    batch_size: int


def settings_from_environment() -> Settings:
    return Settings(
        database_url=os.environ.get("DATABASE_URL", "postgresql+asyncpg://board:board@localhost:5432/board"),
        inbox=Path(os.environ.get("INBOX", "inbox")),
        batch_size=int(os.environ.get("BATCH_SIZE", "20")),
    )


settings = settings_from_environment()
