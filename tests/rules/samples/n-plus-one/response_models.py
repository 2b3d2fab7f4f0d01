"""A response model and a schema that are filled from entities read their relationships."""

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

app = FastAPI()


class Base(DeclarativeBase): ...


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list[Line]] = relationship()


class LineOut(BaseModel):
    id: int


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    lines: list[LineOut]


def get_session() -> Session: ...


@app.get("/orders", response_model=list[OrderOut])
def orders(session: Session = Depends(get_session)):
    return session.query(Order).filter(Order.id > 0).all()  # flagged


@app.get("/orders/some")
def some(session: Session = Depends(get_session)) -> list[OrderOut]:
    found = session.query(Order).limit(20).all()
    return [OrderOut.model_validate(each) for each in found]  # flagged
