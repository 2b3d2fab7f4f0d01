import sqlite3

from sqlalchemy import insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    meter: Mapped[int]


class Metered(Base):
    __tablename__ = "metered"
    event: Mapped[int] = mapped_column(primary_key=True)


def backfill(session: Session, meters: list[int]) -> None:
    """One statement writes all rows of a meter: the database reads them itself."""
    for meter in meters:
        session.execute(insert(Metered).from_select(["event"], select(Event.id).where(Event.meter == meter)))
        session.commit()


def backfill_each(session: Session, meters: list[int]) -> None:
    for meter in meters:
        session.execute(insert(Metered).values(event=meter))  # flagged
        session.commit()


def copy(connection: sqlite3.Connection, meters: list[int]) -> None:
    for meter in meters:
        connection.execute("INSERT INTO metered (event) SELECT id FROM events WHERE meter = ?", (meter,))
    for meter in meters:
        connection.execute("INSERT INTO metered (event) VALUES (?)", (meter,))  # flagged


def backfill_by_name(session: Session, meters: list[int]) -> None:
    for meter in meters:
        statement = insert(Metered).from_select(["event"], select(Event.id).where(Event.meter == meter))
        session.execute(statement)
