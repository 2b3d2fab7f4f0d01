from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)


def refreshed(session: Session) -> int:
    keys = session.scalars(select(Item.id)).all()
    for key in keys:
        print(key)
    return len(keys)


def stated(session: Session) -> dict[str, int]:
    items = session.scalars(select(Item)).all()
    return {"items": len(items)}  # flagged
