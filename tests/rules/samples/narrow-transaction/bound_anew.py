"""A name that is given something else after the commit carries nothing over from what was committed."""

from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Parent(Base):
    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Child(Base):
    __tablename__ = "children"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int]


def independent(session: Session) -> None:
    row = Parent(name="one")
    session.add(row)
    session.commit()
    row = Parent(name="two")
    session.add(row)
    session.commit()


def dependent(session: Session) -> None:
    row = Parent(name="one")
    session.add(row)
    session.commit()  # flagged
    child = Child(parent_id=row.id)
    session.add(child)
    session.commit()
