"""The query of a loop in a helper, a generator, a task; relationships behind functions and prefetches."""

import asyncio
from collections.abc import Iterator

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship


class Base(DeclarativeBase): ...


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship()


def buyer(session: Session, order_id: int) -> Customer | None:
    return session.scalars(select(Customer).where(Customer.id == order_id)).first()


def open_orders(session: Session) -> list[Order]:
    return list(session.scalars(select(Order)).all())


def loaded_orders(session: Session) -> list[Order]:
    return list(session.scalars(select(Order).options(joinedload(Order.customer))).all())


def names(session: Session) -> list[str]:
    return [order.customer.name for order in open_orders(session)]  # flagged


def loaded_names(session: Session) -> list[str]:
    return [order.customer.name for order in loaded_orders(session)]


def given_names(orders: list[Order]) -> list[str]:
    return [order.customer.name for order in orders]  # missed: only its callers show the query


def buyers(session: Session, ids: list[int]) -> Iterator[Customer | None]:
    for order_id in ids:
        yield buyer(session, order_id)  # flagged


async def all_at_once(session: Session, ids: list[int]) -> list[Customer | None]:
    return await asyncio.gather(*[asyncio.to_thread(buyer, session, each) for each in ids])  # flagged


def root(session: Session, customer: Customer | None) -> Customer | None:
    while customer is not None and customer.parent_id:
        customer = session.scalars(select(Customer).where(Customer.id == customer.parent_id)).first()  # flagged
    return customer


def first_match(session: Session, candidates: list[int]) -> Customer | None:
    for each in candidates:
        found = buyer(session, each)  # flagged
        if found is not None:
            return found
    return None


def once(session: Session, ids: list[int]) -> Customer | None:
    for each in ids:
        if each > 0:
            return buyer(session, each)
    return None


def same_for_all(session: Session, ids: list[int]) -> list[int]:
    found = []
    for each in ids:
        limit = session.scalars(select(Customer)).first()  # flagged
        found.append(each + limit.id)
    return found


def remembered(session: Session, ids: list[int]) -> None:
    known: dict[int, Customer | None] = {}
    for each in ids:
        if each not in known:
            known[each] = buyer(session, each)  # flagged
