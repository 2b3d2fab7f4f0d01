from fastapi import FastAPI
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from tortoise import fields
from tortoise.models import Model

app = FastAPI()


class Customer(Model):
    id = fields.IntField(pk=True)
    name = fields.CharField(max_length=100)


class Invoice(Model):
    id = fields.IntField(pk=True)
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField("models.Customer", related_name="invoices")


@app.get("/invoices")
async def invoices() -> list[str]:
    found = []
    for invoice in await Invoice.filter(id__gt=1).limit(50):
        customer = await invoice.customer  # flagged
        found.append(customer.name)
    return found


@app.get("/invoices/loaded")
async def loaded() -> list[str]:
    return [each.customer.name for each in await Invoice.filter(id__gt=1).prefetch_related("customer").limit(50)]


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship()


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


async def lines(session: AsyncSession) -> int:
    total = 0
    for order in (await session.scalars(select(Order))).all():
        total += len(await order.awaitable_attrs.lines)  # flagged
    return total


async def lines_loaded(session: AsyncSession) -> int:
    total = 0
    for order in (await session.scalars(select(Order).options(selectinload(Order.lines)))).all():
        total += len(await order.awaitable_attrs.lines)
    return total
