import httpx
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()


class Base(DeclarativeBase):
    pass


class Step(Base):
    __tablename__ = "steps"
    id: Mapped[int] = mapped_column(primary_key=True)


def place(session: Session) -> str:
    session.scalars(select(Step)).all()
    return httpx.get("https://example.org").text


class Locator:
    def __init__(self, session: Session) -> None:
        self.session = session
        self._found = None

    def found(self) -> str:
        if self._found is None:
            where = place(self.session)
            self._found = where.strip()
        return self._found


def get_session() -> Session: ...


@app.get("/place")
def shown(session: Session = Depends(get_session)) -> str:
    return Locator(session).found()
