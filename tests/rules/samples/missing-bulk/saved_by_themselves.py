# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Saves:
    def save(self, flush: bool = True, *, session: Session) -> None:
        session.add(self)
        if flush:
            session.flush()

    def delete(self, *, session: Session) -> None:
        session.delete(self)
        session.flush()


class Event(Base, Saves):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    seen: Mapped[bool]


# file: app/events.py
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Event


def keep(texts: list[str], session: Session) -> None:
    for text in texts:
        Event(text=text).save(session=session)  # flagged


def keep_named(texts: list[str], session: Session) -> None:
    for text in texts:
        event = Event(text=text)
        event.save(session=session)  # flagged


def note(text: str, session: Session) -> None:
    Event(text=text).save(session=session)


def keep_further_down(texts: list[str], session: Session) -> None:
    for text in texts:
        note(text, session)  # flagged


def keep_together(texts: list[str], session: Session) -> None:
    for text in texts:
        Event(text=text).save(flush=False, session=session)
    session.flush()


def see(session: Session) -> None:
    for event in session.scalars(select(Event)):
        event.seen = True
        event.save(session=session)


def forget(session: Session) -> None:
    for event in session.scalars(select(Event)):
        event.delete(session=session)
