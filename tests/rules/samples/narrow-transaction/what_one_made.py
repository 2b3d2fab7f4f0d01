from peewee import Model, TextField
from sqlalchemy import delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Proxy:
    """Stands for what is configured at start-up."""

    def __init__(self) -> None:
        self.target = None

    def __call__(self, *args: object) -> object:
        return self.target(*args)


db_transaction = Proxy()


class Base(DeclarativeBase):
    pass


class Token(Base):
    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    expired: Mapped[bool]
    prefix: Mapped[str]


class Use(Base):
    __tablename__ = "uses"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int]


def find(session: Session, prefix: str) -> Token | None:
    """A lookup that sweeps on its way."""
    session.execute(delete(Token).where(Token.expired))
    session.commit()
    return session.scalars(select(Token).where(Token.prefix == prefix)).first()


def create(session: Session, prefix: str) -> Token:
    token = Token(prefix=prefix, expired=False)
    session.add(token)
    session.commit()
    return token


def discard(session: Session, prefix: str) -> None:
    token = find(session, prefix)
    session.delete(token)
    session.commit()


def issue(session: Session, prefix: str) -> None:
    token = create(session, prefix)  # flagged
    session.add(Use(token_id=token.id))
    session.commit()


def issue_or_undo(session: Session, prefix: str) -> None:
    token = create(session, prefix)
    try:
        deliver(token.prefix)
    except OSError:
        session.delete(token)
        session.commit()


def deliver(prefix: str) -> None: ...


class Label(Model):
    name = TextField()


class Mark(Model):
    label = TextField()


def label(name: str) -> Mark:
    with db_transaction():
        made = Label.create(name=name)
        return Mark.create(label=made)


def label_apart(name: str) -> Mark:
    made = Label.create(name=name)  # flagged
    return Mark.create(label=made)
