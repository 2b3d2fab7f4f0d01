from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload, sessionmaker

app = FastAPI()
SessionLocal = sessionmaker(create_engine("postgresql://localhost/app"))


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list["Item"]] = relationship()

    @property
    def item_count(self) -> int:
        return len(self.items)


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    item_count: int


def get_session():
    with SessionLocal() as session:
        yield session


@app.get("/orders")
def orders(session: Session = Depends(get_session)) -> list[OrderOut]:
    rows = session.query(Order).all()
    return [OrderOut.model_validate(row) for row in rows]  # flagged


@app.get("/orders/loaded")
def loaded(session: Session = Depends(get_session)) -> list[OrderOut]:
    rows = session.query(Order).options(selectinload(Order.items)).all()
    return [OrderOut.model_validate(row) for row in rows]
