from peewee import Model, SqliteDatabase, TextField
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    admin: Mapped[bool]


def by_name(session: Session, name: str) -> User:
    return session.query(User).filter(User.name == name).one()


def maybe_by_name(session: Session, name: str) -> User | None:
    return session.query(User).filter(User.name == name).one_or_none()


def make(session: Session, name: str) -> User:
    """Makes the user when nobody else has."""
    user = session.query(User).filter(User.name == name).one_or_none()
    if user is None:
        user = User(name=name)
        session.add(user)
    return user


def log_in(session: Session, name: str) -> User:
    try:
        user = by_name(session, name)
    except NoResultFound:
        user = make(session, name)
    return user


def register(session: Session, name: str) -> User:
    user = maybe_by_name(session, name)
    if user is not None:
        raise ValueError(name)
    return make(session, name)


def enter(session: Session, name: str) -> User:
    user = maybe_by_name(session, name)
    is_new = user is None
    if is_new:
        user = make(session, name)
    return user


def look_twice(session: Session, name: str) -> User:
    user = by_name(session, name)
    if user.admin:
        raise ValueError(name)
    return make(session, name)  # flagged


def look_anew(session: Session, name: str, hooks: list) -> User:
    user = by_name(session, name)
    for hook in hooks:
        hook(user)
    session.expire(user)
    return by_name(session, name)


async def locked(session: AsyncSession, user_id: int) -> User | None:
    statement = select(User).where(User.id == user_id).with_for_update(skip_locked=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def claim(session: AsyncSession, user: User) -> User | None:
    return await locked(session, user.id)


database = SqliteDatabase("app.db")


class Manifest(Model):
    digest = TextField()

    class Meta:
        database = database


def is_used(digest: str) -> bool:
    return Manifest.get_or_none(Manifest.digest == digest) is not None


def collect(digest: str) -> bool:
    if is_used(digest):
        return False
    with database.atomic():
        return not is_used(digest)
