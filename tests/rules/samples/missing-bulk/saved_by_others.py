"""New objects handed to a function that saves what it is given; get-or-create; keys that the next row needs."""

from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    parent_id: Mapped[int | None]


def save(session: Session, entry: Entry) -> None:
    session.add(entry)
    session.commit()


def keep(session: Session, texts: list[str]) -> None:
    for text in texts:
        save(session, Entry(text=text))  # flagged


def keep_named(session: Session, texts: list[str]) -> None:
    for text in texts:
        entry = Entry(text=text)
        save(session, entry)  # flagged


def chained(session: Session, texts: list[str]) -> None:
    parent = None
    for text in texts:
        entry = Entry(text=text, parent_id=parent)
        session.add(entry)  # false-alarm: each row needs the key of the one before
        session.flush()
        parent = entry.id


def pending(session: Session, texts: list[str]) -> None:
    session.add_all(Entry(text=text) for text in texts)
    session.commit()
