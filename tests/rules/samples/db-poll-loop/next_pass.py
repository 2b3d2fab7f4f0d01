"""What follows a pause that goes on with the next pass is the work, not the question."""

import time

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


class Report(Base):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)


def waiting(session: Session) -> Task | None:
    return session.scalars(select(Task).where(Task.state == "waiting")).first()


def work(session: Session, task: Task) -> Report | None:
    return session.scalars(select(Report).where(Report.id == task.id)).first()


def run(session: Session) -> None:
    while True:
        task = waiting(session)  # flagged
        if task is None:
            time.sleep(5)
            continue
        work(session, task)


def run_given(session: Session, tasks: list[Task]) -> None:
    while True:
        if not tasks:
            time.sleep(5)
            continue
        work(session, tasks.pop())
