"""An attribute in front of a cache that everyone shares saves a question inside the request, and loses nothing after."""

import json

import redis
from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
shared = redis.Redis()


class Base(DeclarativeBase): ...


class Grant(Base):
    __tablename__ = "grants"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Level(Base):
    __tablename__ = "levels"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def get_session() -> Session: ...


class Access:
    def __init__(self, session: Session) -> None:
        self.session = session
        self._grants = None
        self._levels = None

    def grants(self) -> list[str]:
        if self._grants is None:
            known = shared.get("grants")
            if known:
                self._grants = json.loads(known)
            else:
                self._grants = [each.name for each in self.session.scalars(select(Grant)).all()]
                shared.set("grants", json.dumps(self._grants))
        return self._grants

    def levels(self) -> list[str]:
        if self._levels is None:
            self._levels = list(self.session.scalars(select(Level.name)).all())  # flagged
        return self._levels


def get_access(session: Session = Depends(get_session)) -> Access:
    return Access(session)


@app.get("/grants")
def grants(access: Access = Depends(get_access)) -> list[str]:
    return [*access.grants(), *access.levels()]
