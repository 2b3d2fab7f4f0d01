"""Keys that tell one row and keys that do not; sessions of one's own; dependencies that have loaded it."""

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

app = FastAPI()
make_session = sessionmaker()


class Base(DeclarativeBase): ...


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    manager_id: Mapped[int | None]


class Plan(Base):
    __tablename__ = "plans"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    kind: Mapped[str]


def get_session() -> Session: ...


def find(session: Session, user_id: int) -> User | None:
    return session.scalars(select(User).where(User.id == user_id)).first()


def plan_of(session: Session, user_id: int, kind: str) -> Plan | None:
    return session.scalars(select(Plan).where(Plan.user_id == user_id, Plan.kind == kind)).first()


def by_hand(user_id: int) -> User | None:
    with make_session() as session:
        return session.get(User, user_id)


def existing(user_id: int, session: Session = Depends(get_session)) -> User:
    user = find(session, user_id)
    if user is None:
        raise HTTPException(404)
    return user


@app.get("/users/{user_id}")
def read(user_id: int, user: User = Depends(existing), session: Session = Depends(get_session)) -> str:
    again = find(session, user_id)  # flagged
    return user.name + again.name


@app.get("/users/{user_id}/manager")
def manager(user: User = Depends(existing), session: Session = Depends(get_session)) -> str:
    return find(session, user.manager_id).name


@app.get("/users/{user_id}/plans")
def plans(user_id: int, session: Session = Depends(get_session)) -> list[str]:
    old, new = plan_of(session, user_id, "old"), plan_of(session, user_id, "new")
    return [old.kind, new.kind]


@app.get("/users/{user_id}/twice")
def twice(user_id: int) -> str:
    first = by_hand(user_id)
    second = by_hand(user_id)  # flagged
    return first.name + second.name


@app.post("/users/{user_id}")
def rename(user_id: int, name: str, session: Session = Depends(get_session)) -> str:
    user = find(session, user_id)
    user.name = name
    session.commit()
    return find(session, user_id).name


@app.get("/users/{user_id}/maybe")
def maybe(user_id: int, deep: bool, session: Session = Depends(get_session)) -> str:
    if deep:
        print(find(session, user_id))
    return find(session, user_id).name
