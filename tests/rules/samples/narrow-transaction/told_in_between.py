import httpx
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]


def pay(session: Session, client: httpx.Client) -> None:
    """One transaction around both would wait for the other side with its locks held."""
    order = Order()
    session.add(order)
    session.commit()
    client.post("https://pay.example", json={"order": order.id})
    session.add(Payment(order_id=order.id))
    session.commit()


def keep(session: Session) -> None:
    order = Order()
    session.add(order)
    session.commit()  # flagged
    session.add(Payment(order_id=order.id))
    session.commit()
