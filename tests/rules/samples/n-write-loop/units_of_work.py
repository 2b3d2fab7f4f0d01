"""Commits in loops: one for each element, one for many, and wrappers around them."""

from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]


class Items:
    def __init__(self, session: Session) -> None:
        self.session = session

    def _save(self) -> None:
        self.session.commit()

    def reprice(self, items: list[Item]) -> None:
        for item in items:
            item.price = 0
            self._save()  # flagged

    def set_price(self, item_id: int, price: int, commit: bool = False) -> None:
        item = self.session.get(Item, item_id)
        item.price = price
        if commit:
            self.session.commit()

    def set_all(self, prices: dict[int, int]) -> None:
        for item_id, price in prices.items():
            self.set_price(item_id, price)
        self.session.commit()

    def set_each(self, prices: dict[int, int]) -> None:
        for item_id, price in prices.items():
            self.set_price(item_id, price, commit=True)  # flagged


def in_batches(session: Session, ids: list[int]) -> None:
    for start in range(0, len(ids), 100):
        batch = ids[start : start + 100]
        session.execute(update(Item).where(Item.id.in_(batch)).values(price=0))
        session.commit()


def by_price(session: Session, prices: dict[int, list[int]]) -> None:
    for price, ids in prices.items():
        session.execute(update(Item).where(Item.id.in_(ids)).values(price=price))
    session.commit()


def removed(session: Session, items: list[Item]) -> None:
    for item in items:
        session.delete(item)
    session.commit()


def own_transaction(session: Session, items: list[Item]) -> None:
    for item in items:
        with session.begin():  # flagged
            item.price = 0
