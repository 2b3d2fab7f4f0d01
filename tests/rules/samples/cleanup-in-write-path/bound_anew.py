"""A name that is bound anew is another statement: what it was before tells nothing of it."""

from datetime import datetime

from fastapi import Depends, FastAPI
from sqlalchemy import delete, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()


class Base(DeclarativeBase): ...


class File(Base):
    __tablename__ = "files"
    id: Mapped[int] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime | None]


class Deleted(Base):
    __tablename__ = "deleted"
    id: Mapped[int] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime | None]


def get_session() -> Session: ...


@app.post("/files/{file_id}")
def resurrect(file_id: int, session: Session = Depends(get_session)) -> None:
    try:
        statement = select(Deleted).where(Deleted.id == file_id)
        session.execute(statement).scalar_one()
    except ValueError:
        statement = update(File).where(File.id == file_id, File.expires_at < datetime.now()).values(expires_at=None)
        session.execute(statement)
    statement = delete(Deleted).where(Deleted.id == file_id)
    session.execute(statement)
    session.add(File(id=file_id))
    session.commit()


@app.post("/files")
def add(file_id: int, now: datetime, session: Session = Depends(get_session)) -> None:
    statement = delete(Deleted)
    statement = statement.where(Deleted.expires_at < now)
    session.execute(statement)  # flagged
    session.add(File(id=file_id))
    session.commit()
