# file: app/fetch.py
import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.models import Task


class Woken:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self.fetch_event = asyncio.Event()
        self.running = True

    async def start(self) -> None:
        while self.running:
            async with self.sessions() as session:
                found = (await session.execute(select(Task).where(Task.state == "new"))).scalars().all()
            if not found:
                try:
                    await asyncio.wait_for(self.fetch_event.wait(), timeout=10)
                except TimeoutError:
                    await asyncio.sleep(0.1)


class Polling:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self.running = True
        self.stop_event = asyncio.Event()

    async def start(self) -> None:
        while self.running:
            async with self.sessions() as session:
                found = (await session.execute(select(Task).where(Task.state == "new"))).scalars().all()  # flagged
            if not found:
                await asyncio.sleep(1)


# file: scripts/drain.py
import time

from app.models import Task, engine
from sqlalchemy import select
from sqlalchemy.orm import Session


def main() -> None:
    started = time.time()
    while time.time() - started < 30:
        with Session(engine) as session:
            if session.execute(select(Task).where(Task.state == "new")).first() is None:
                return
        time.sleep(2)


# file: app/models.py
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql://localhost/app")


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
