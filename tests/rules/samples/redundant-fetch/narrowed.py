"""What is passed beside the key narrows the statement inside the callee: another answer, unless it is the same."""

import enum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Status(enum.Enum):
    DRAFT = "draft"
    SENT = "sent"


class Answer(Base):
    __tablename__ = "answers"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    status: Mapped[Status]


async def count(db: AsyncSession, user_id: int, status: Status | None = None) -> int:
    conditions = [Answer.user_id == user_id]
    if status:
        conditions.append(Answer.status == status)
    return (await db.execute(select(func.count(Answer.id)).filter(*conditions))).scalar_one()


async def by_status(db: AsyncSession, user_id: int) -> list[int]:
    return [
        await count(db, user_id),
        await count(db, user_id, Status.DRAFT),
        await count(db, user_id, Status.SENT),
    ]


async def twice(db: AsyncSession, user_id: int) -> tuple[int, int]:
    return await count(db, user_id, Status.SENT), await count(db, user_id, Status.SENT)  # flagged
