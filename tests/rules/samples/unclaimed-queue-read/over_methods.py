import datetime

from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine("postgresql://localhost/app")


class Base(DeclarativeBase):
    pass


class Reminder(Base):
    __tablename__ = "reminders"
    id: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime.datetime]
    locked_at: Mapped[datetime.datetime | None]


class Unclaimed:
    def due(self, now: datetime.datetime) -> list[Reminder]:
        statement = select(Reminder).where(Reminder.due_at <= now)  # flagged
        with Session(engine) as session:
            return list(session.execute(statement).scalars())

    def mark(self, reminder_id: int) -> None:
        with Session(engine) as session:
            session.execute(update(Reminder).where(Reminder.id == reminder_id).values(locked_at=datetime.datetime.now()))
            session.commit()


class Claimed:
    """The mark itself is conditional: of two workers one changes a row, the other none."""

    def due(self, now: datetime.datetime) -> list[Reminder]:
        statement = select(Reminder).where(Reminder.due_at <= now)
        with Session(engine) as session:
            return list(session.execute(statement).scalars())

    def mark(self, reminder_id: int) -> bool:
        claim = update(Reminder).where(Reminder.id == reminder_id, Reminder.locked_at.is_(None))
        with Session(engine) as session:
            marked = session.execute(claim.values(locked_at=datetime.datetime.now()))
            session.commit()
            return marked.rowcount == 1
